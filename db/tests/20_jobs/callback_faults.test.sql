-- A callback that raises harms only its own step, or only the processing of its own run's end.
begin;
select plan(36);
select tests.create_callbacks();
create temporary table known (ana uuid, run bigint);
insert into known (ana) select tests.create_user('ana@example.com');

-- Given a batch in which on_completed raises for two of five steps
update known set run = tests.submit_steps(
  '{"key": "good", "type": "called"},
  {"key": "bad", "type": "called", "on_failure": "continue",
    "input": {"raise": "P0001", "on": "completed"}},
  {"key": "worse", "type": "called", "on_failure": "continue",
    "input": {"raise": "assert", "on": "completed"}},
  {"key": "other", "type": "plain"}, {"key": "after", "type": "plain", "depends_on": ["bad"]}'
);
select tests.claim_steps();
select tests.exchange(
  jsonb_build_array(
    '{"id": 987654321, "fence": 1, "outcome": "completed"}'::jsonb,
    tests.step_result(
      'bad',
      '{"outcome": "completed", "output": {"n": 1}, "children": [{"key": "kid", "type": "plain"}]}'
    ),
    tests.step_result('good'), tests.step_result('other'), tests.step_result('worse'),
    '{"id": null, "fence": 0, "outcome": "completed"}'::jsonb
  )
);
select is(
  tests.last_answer() -> 'refused',
  '[
    {"index": 0, "id": 987654321, "reason": "step_lost"},
    {"index": 5, "id": null, "reason": "result_invalid"}
  ]',
  'returns the refused results of the batch with their places'
);
select is(
  tests.statuses_of('good', 'other'),
  'completed completed',
  'completes the other steps of the batch'
);
select is(
  tests.statuses_of('bad', 'worse'),
  'failed failed',
  'fails the steps whose callback raises, also by assert'
);
select is(
  (select error_slug from jobs where key = 'bad'),
  'callback_failed',
  'names the slug callback_failed'
);
select unalike(
  (select error_message from jobs where key = 'bad'),
  '%secret%',
  'does not show the owner what the callback raised'
);
select is_empty(
  $$ select from jobs where key = 'kid' $$,
  'inserts no children of a step whose callback raised'
);
select is(
  tests.list_calls(),
  'completed(good:completed)',
  'undoes the writes of a call that raised'
);

-- When the run goes on, and is retried after the product was mended
update jobs set input = null where key in ('bad', 'worse');
select tests.claim_steps();
select tests.hand_in_result('after');
select is(
  tests.status_of('root'),
  'completed',
  'ends the run as on_failure of the failed step says'
);
set local request.jwt.claims = '{"role": "service_role"}';
select retry_job((select run from known));
select tests.claim_steps();
select tests.exchange(
  jsonb_build_array(
    tests.step_result(
      'bad', '{"outcome": "completed", "children": [{"key": "kid", "type": "plain"}]}'
    ),
    tests.step_result('worse')
  ),
  10
);
select is(
  tests.statuses_of('bad', 'worse'),
  'joining completed',
  'runs the steps again when the run is retried'
);
select tests.hand_in_result('kid');
select tests.list_calls();

-- Given on_rescheduled that raises
update known set run = tests.submit_steps(
  '{"key": "turns", "type": "called", "input": {"raise": "22012", "on": "rescheduled"}}'
);
select tests.claim_steps();
select tests.hand_in_result('turns', '{"outcome": "rescheduled", "state": 1}');
select is(
  tests.statuses_of('turns', 'root'),
  'failed failed',
  'fails a step whose on_rescheduled raises'
);

-- Given 500 results, every tenth of which is of a step whose callback raises
select tests.submit_steps(
  (
    select string_agg(format(
      '{"key": "s%s", "type": "called", "on_failure": "continue",
        "input": {"raise": %s, "on": "completed"}}',
      n, case when n % 10 = 0 then '"P0001"' else 'null' end
    ), ', ')
    from generate_series(1, 500) as n
  )
);
select tests.claim_steps(500);
select tests.exchange(
  (select jsonb_agg(tests.step_result(format('s%s', n))) from generate_series(1, 500) as n)
);
select results_eq(
  $$ select status, count(*)::integer from jobs where key ~ '^s\d+$' group by 1 order by 1 $$,
  $$ values ('completed', 450), ('failed', 50) $$,
  'settles each step of a batch of 500 by its own callback'
);
delete from app.calls;

-- Faults that say nothing about the callback
create function tests.code_of(state text) returns text language plpgsql as $$
begin
  perform tests.submit_steps('', 'called');
  perform tests.claim_steps();
  update jobs set input = jsonb_build_object('raise', state, 'on', 'completed')
  where id = (select max(id) from app.runs);
  perform tests.hand_in_result('root');
  return 'applied';
exception
  when others or query_canceled then
    return sqlstate;
end
$$;
select is(
  tests.code_of(s.state),
  s.state,
  format('hands SQLSTATE %s of a callback to the worker, which repeats the batch', s.state)
)
from unnest(array['40P01', '40001', '55P03', '57014', '57P01', '53200', '58030']) as s (state);
select tests.submit_steps('', 'called');
select tests.claim_steps();
update jobs set input = '{"raise": "40P01", "on": "completed"}'
where id = (select max(id) from app.runs);
select tests.refusal_of($$ select tests.hand_in_result('root') $$);
select is(tests.status_of('root'), 'running', 'keeps the step running after such a fault');
select app.cancel_runs(array[max(id)]) from app.runs;
select tests.list_calls();

-- Given an on_run_ended that raises
update known set run = tests.submit_steps('', 'called');
update jobs set input = '{"raise": "P0001", "on": "ended"}' where id = (select run from known);
select tests.claim_steps();
select tests.hand_in_result('root');
select is(tests.status_of('root'), 'completed', 'ends a run although its on_run_ended raises');
select is(
  (
    select format('%s %s %s', callback, attempts, error)
    from app.callback_faults where run_id = (select run from known)
  ),
  'app.note_ended 1 app.note_ended raised P0001: The secret of the product.',
  'stores the call with what it raised'
);
select is(app.repeat_callbacks(), 0, 'waits a minute before the stored call is repeated');
select tests.travel('1 minute');
select is(app.repeat_callbacks(), 1, 'repeats the stored call when it is due');
select is(
  (select format('%s %s', attempts, next_at - app.now()) from app.callback_faults),
  '2 00:02:00',
  'doubles the pause after a second failure'
);
update jobs set status = 'failed', worked_at = null where id = (select run from known);
select throws_ok(
  'select retry_job((select run from known))', 'PT409', 'The end of the run is not processed yet.',
  'refuses to retry a run before its end was processed'
);
update jobs set input = null where id = (select run from known);
select is(
  retry_job((select run from known)),
  'queued',
  'processes the end first when a run is retried'
);
select is(
  tests.list_calls(), 'completed(root:completed), ended(root:failed), reopened(root:blocked)',
  'calls on_run_ended before on_run_reopened'
);
select is_empty('select from app.callback_faults', 'deletes the stored call after it succeeded');
select app.cancel_runs(array[run]) from known;
select tests.list_calls();

-- Given a run of groups only whose on_run_ended raises
insert into job_types (name, has_handler) values ('called_group', false);
select app.register_callbacks('called_group', on_run_ended => 'app.note_ended');
select lives_ok(
  $$
    update known set run = app.submit_run(
      '{"key": "groups", "type": "called_group", "input": {"raise": "P0001", "on": "ended"},
        "steps": [{"key": "g", "type": "group"}]}',
      null, null
    )
  $$,
  'submits a run of groups, which completes at once, although its on_run_ended raises'
);
select is(tests.status_of('groups'), 'completed', 'completes the run of groups');
select is(
  (select count(*)::integer from app.callback_faults where run_id = (select run from known)),
  1,
  'stores the call of the run of groups'
);
delete from app.callback_faults;

-- Given a user who is deleted while on_run_ended of two of her three runs raises
update known set run = tests.submit_steps('', 'called', ana);
select tests.submit_steps('', 'called', ana), tests.submit_steps('', 'called', ana) from known;
update jobs set input = '{"raise": "P0001", "on": "ended"}' where root_id > (select run from known);
select lives_ok(
  'delete from auth.users where id = (select ana from known)',
  'deletes a user although on_run_ended raises'
);
select is(tests.list_calls(), 'ended(root:cancelled)', 'calls on_run_ended of her other run');
select is(
  (select count(*)::integer from app.callback_faults),
  2,
  'stores the calls of her two runs, whose rows are deleted'
);
select tests.travel('2 minutes');
select app.repeat_callbacks();
select matches(
  tests.list_calls(),
  '^ended\(\d+:deleted\), ended\(\d+:deleted\)$',
  'repeats calls of runs whose rows are deleted'
);
select is_empty(
  'select from app.callback_faults',
  'deletes these stored calls after they succeeded'
);

select * from finish();
rollback;
