-- A heartbeat requeues steps of silent workers, and steps that never reached their worker.
begin;
select plan(12);
select tests.create_callbacks();
create temporary table known (run bigint);

-- Given a worker that is alive, but does not list one of its two steps
select tests.submit_steps('{"key": "lost", "type": "plain"}, {"key": "kept", "type": "plain"}');
select tests.claim_steps();
select tests.travel('29 seconds');
select worker.heartbeat(tests.worker_id(), '[]');
select is(
  tests.status_of('lost'),
  'running',
  'keeps a step that the worker does not list while the answer may be on its way'
);
select tests.travel('31 seconds');
select worker.heartbeat(tests.worker_id(), jsonb_build_array(tests.step_result('kept')));
select results_eq(
  $$
    select j.key collate "default", q.status, q.failures, j.error_slug
    from app.job_queue as q join jobs as j on j.id = q.job_id where j.type = 'plain' order by 1
  $$,
  $$ values ('kept', 'running', 0, null), ('lost', 'queued', 1, 'worker_lost') $$,
  'requeues a step that the worker does not list after the lease, and counts a failure'
);
select is(
  (select error_message from jobs where key = 'lost'),
  'The worker stopped sending heartbeats, or never received the step. If this happens again, see '
    'the log of the worker.',
  'shows why the step was requeued'
);
select tests.hand_in_result('kept');
delete from app.runs;

-- Given a silent worker
select tests.submit_steps('{"key": "l", "type": "plain"}');
select tests.claim_steps();
update app.workers set heartbeat_at = app.now() - interval '1 minute';
select worker.heartbeat(gen_random_uuid(), '[]');
select results_eq(
  'select status, failures from app.job_queue where parent_id is not null',
  $$ values ('queued', 1) $$,
  'requeues the steps of a silent worker, and counts a failure'
);
select is_empty(
  'select from app.workers where id = tests.worker_id()',
  'deletes the silent worker'
);
select tests.hand_in_result('l');
select is(
  tests.last_answer() #>> '{refused,0,reason}',
  'step_lost',
  'refuses what the silent worker still hands in'
);
delete from app.runs;
delete from app.workers;

-- Given three silent workers: on_run_ended raises for the step of the first, and runs into a lock
-- timeout for the step of the second
update job_types set max_failures = 1 where name = 'called';
create function tests.lose_step(raise text) returns bigint language plpgsql as $$
declare
  v_run_id bigint := tests.submit_steps('', 'called');
  v_worker_id uuid := gen_random_uuid();
begin
  update jobs set input = jsonb_build_object('raise', lose_step.raise, 'on', 'ended')
  where id = v_run_id;
  perform worker.exchange_steps(v_worker_id, '[]', 1);
  update app.workers
  set heartbeat_at = app.now() - interval '1 minute' - v_run_id * interval '1 ms'
  where id = v_worker_id;
  return v_run_id;
end
$$;
create temporary table lost as
select raise, tests.lose_step(raise) as run from (values ('P0001'), ('55P03'), (null)) as r (raise);
select lives_ok(
  $$ select worker.heartbeat(tests.worker_id(), '[]') $$,
  'survives a callback that raises, and one that runs into a lock timeout'
);
select results_eq(
  'select j.status from lost as l join jobs as j on j.id = l.run where raise is null',
  array['failed'],
  'fails the lost step of the third worker'
);
select results_eq(
  $$ select j.status from lost as l join jobs as j on j.id = l.run where raise = 'P0001' $$,
  array['failed'],
  'fails the lost step whose callback raises, and stores the call'
);
select results_eq(
  $$
    select q.status from lost as l join app.job_queue as q on q.job_id = l.run where raise = '55P03'
  $$,
  array['running'],
  'leaves the step whose callback ran into a lock timeout to the next heartbeat'
);
select is(
  (select count(*)::integer from app.workers),
  2,
  'keeps the worker of that step, and the living worker'
);
update jobs set input = null where id = (select run from lost where raise = '55P03');
select worker.heartbeat(tests.worker_id(), '[]');
select results_eq(
  $$ select j.status from lost as l join jobs as j on j.id = l.run where raise = '55P03' $$,
  array['failed'],
  'fails that step at the next heartbeat'
);

select * from finish();
rollback;
