-- worker.heartbeat publishes running steps.
begin;
select plan(8);
insert into job_types (name) values ('noop');

-- Given a claimed step
select tests.submit_steps('{"key": "a", "type": "noop"}');
select tests.claim_steps();
select is(
  (select status from jobs where key = 'a'),
  'queued',
  'shows a claimed step as queued before its first heartbeat'
);
select worker.heartbeat(
  tests.worker_id(),
  jsonb_build_array(tests.step_result('a', '{"progress": 0.5}')),
  array['noop']
);
select results_eq(
  $$ select status, progress, started_at is not null from jobs where key = 'a' $$,
  $$ values ('running', 0.5::real, true) $$,
  'shows the step as running, with its progress, after a heartbeat'
);
select results_eq(
  'select id, types from app.workers',
  'select tests.worker_id(), array[''noop'']',
  'records the worker with the types that it has handlers for'
);
select worker.heartbeat(
  tests.worker_id(),
  jsonb_build_array(tests.step_result('a', '{"progress": 0.25}')),
  array['noop']
);
select is(
  (select progress from jobs where key = 'a'),
  0.5::real,
  'never lowers the progress of a step'
);
select lives_ok(
  $$
    select worker.heartbeat(
      tests.worker_id(), jsonb_build_array(tests.step_result('a', '{"progress": 1e-60}'))
    )
  $$,
  'accepts a progress of any size'
);
select is(
  worker.heartbeat(tests.worker_id(), '[{"id": 987654321, "fence": 1}, {"id": "x"}, 7]') -> 'stop',
  '[{"id": 987654321, "fence": 1}, {"id": "x", "fence": null}, {"id": null, "fence": null}]',
  'tells the worker to stop steps that it does not hold'
);
select is(
  tests.refusal_of($$ select worker.heartbeat(tests.worker_id(), '{}') $$) ->> 'slug',
  'results_invalid',
  'refuses a list of steps that is not an array'
);
select throws_ok(
  $$ select worker.heartbeat(null, '[]') $$,
  'PT422',
  null,
  'refuses a heartbeat without the id of a worker'
);

select * from finish();
rollback;
