-- worker.exchange_steps applies results and claims ready steps in one call.
begin;
select plan(16);
insert into job_types (name) values ('noop');

-- Given a run in which b depends on a
select tests.submit_steps(
  '{"key": "a", "type": "noop"}, {"key": "b", "type": "noop", "depends_on": ["a"]}'
);
select is(tests.claim_steps(), 'a', 'claims only steps that wait for nothing');
select is(tests.claim_steps(), null, 'claims no step twice');

-- When the result of a is handed in
select is(
  tests.hand_in_result('a', '{"outcome": "completed", "output": {"n": 1}}', 10), 'b',
  'claims the step that the result made ready, in the same call'
);
select is(
  tests.claimed_step('b') #> '{outputs,0}',
  '[["a"], {"n": 1}]',
  'returns a claimed step with the outputs that it depends on'
);

-- When the same result comes again
select is(tests.hand_in_result('a', want => 10), null, 'claims nothing for a repeated result');
select is(
  tests.last_answer() #>> '{refused,0,reason}',
  'step_lost',
  'refuses a repeated result with step_lost'
);
select is(
  (select output from jobs where key = 'a'),
  '{"n": 1}',
  'keeps the output of the first result'
);

-- When the last step completes
select is(tests.hand_in_result('b', want => 10), null, 'claims nothing after the last step');
select is(tests.status_of('root'), 'completed', 'completes the run with its last step');
select is_empty('select from app.job_queue', 'leaves no step of a completed run in the queue');

-- Given the same result twice in one batch
select tests.submit_steps('{"key": "p", "type": "noop"}');
select tests.claim_steps();
select tests.exchange(
  jsonb_build_array(
    tests.step_result('p', '{"outcome": "completed", "output": 1, "children": []}'),
    tests.step_result(
      'p', '{"outcome": "completed", "output": 2, "children": [{"key": "c", "type": "noop"}]}'
    )
  )
);
select is(
  tests.last_answer() -> 'refused',
  jsonb_build_array(
    jsonb_build_object('index', 1, 'id', tests.claimed_step('p') -> 'id', 'reason', 'step_lost')
  ),
  'refuses the second result of a step in a batch'
);
select is(
  (select output from jobs where key = 'p'), '1', 'keeps the output of the first result of a batch'
);
select is(
  tests.statuses_of('p', 'root', 'c'),
  'completed completed',
  'adds no children of a result that was refused'
);

-- The door
select throws_ok(
  $$ select worker.exchange_steps(tests.worker_id(), '{}', 1) $$,
  'PT422',
  null,
  'refuses results that are not an array'
);
select is(
  tests.refusal_of($$ select worker.exchange_steps(null, '[]', 1) $$) ->> 'slug',
  'results_invalid',
  'refuses a call without the id of a worker'
);
select tests.become('worker');
select throws_ok(
  'select job_id from app.job_queue',
  '42501',
  null,
  'gives the worker no access to tables'
);

select * from finish();
rollback;
