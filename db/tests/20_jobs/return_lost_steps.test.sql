-- A sweep requeues steps of silent workers, and steps that never reached their worker.
begin;
select plan(32);
select tests.create_callbacks();
create temporary table known (run bigint);

-- Given a worker that is alive, but does not list one of its two steps
select tests.submit_steps('{"key": "lost", "type": "plain"}, {"key": "kept", "type": "plain"}');
select tests.claim_steps();
select tests.travel('29 seconds');
select tests.sweep();
select is(
  tests.status_of('lost'),
  'running',
  'keeps a step that the worker does not list while the answer may be on its way'
);
select tests.travel('31 seconds');
select is(
  tests.sweep(jsonb_build_array(tests.step_result('kept'))),
  1,
  'returns how many steps it requeued'
);
select results_eq(
  $$
    select j.key collate "default", q.status, q.failures, q.losses, q.runs_alone, j.error_slug
    from app.job_queue as q join jobs as j on j.id = q.job_id where j.type = 'plain' order by 1
  $$,
  $$
    values ('kept', 'running', 0, 0, false, null), ('lost', 'queued', 0, 0, false, null)
  $$,
  'requeues a step that the worker does not list after the lease, and counts nothing'
);
select tests.hand_in_result('kept');
delete from app.runs;

-- Given a silent worker with a step that it had begun, and one that it had not
select tests.submit_steps('{"key": "l", "type": "plain"}, {"key": "w", "type": "plain"}');
select tests.claim_steps();
select worker.send_heartbeat(
  tests.worker_id(),
  jsonb_build_array(tests.step_result('l'), tests.step_result('w', '{"waiting": true}')),
  '{"plain": 1}'
);
update app.workers set heartbeat_at = app.now() - interval '1 minute';
create temporary table sweeper as select gen_random_uuid() as id;

-- When the sweeper has sent heartbeats for less than a lease
select worker.send_heartbeat(id, '[]', '{}') from sweeper;
select is(
  (select worker.requeue_lost_steps(id, '[]') from sweeper),
  0,
  'requeues nothing for a worker that has just begun to send heartbeats'
);
select worker.exchange_steps('9b4bd1b4-7c4c-4c39-8f1c-1a40e9a2c001', '[]', 0);
select is(
  worker.requeue_lost_steps('9b4bd1b4-7c4c-4c39-8f1c-1a40e9a2c001', '[]'),
  0,
  'requeues nothing for a worker that has exchanged steps but sent no heartbeat'
);
update app.workers
set
  started_at = app.now() - interval '1 hour',
  beating_since = app.now() - interval '1 hour',
  heartbeat_at = app.now() - interval '20 seconds'
where id = (select id from sweeper);
select is(
  (select worker.requeue_lost_steps(id, '[]') from sweeper),
  0,
  'requeues nothing for a worker whose own heartbeats are late'
);
select worker.send_heartbeat(id, '[]', '{}') from sweeper;
select results_eq(
  'select beating_since from app.workers where id = (select id from sweeper)',
  'select app.now()',
  'counts the silence of others from now on after a gap of half a lease'
);
select is(
  (select worker.requeue_lost_steps(id, '[]') from sweeper),
  0,
  'requeues nothing right after a gap in its own heartbeats'
);
select worker.heartbeat(id, '[]') from sweeper;
select is(
  tests.status_of('l'),
  'running',
  'holds a worker of the last release to the same rule'
);

-- When the sweeper has sent heartbeats for a whole lease
select is(
  (select tests.sweep('[]', id) from sweeper),
  2,
  'requeues the steps of a silent worker'
);
select results_eq(
  $$
    select j.key collate "default", q.status, q.failures, q.losses, q.runs_alone
    from app.job_queue as q join jobs as j on j.id = q.job_id where j.type = 'plain' order by 1
  $$,
  $$ values ('l', 'queued', 0, 1, true), ('w', 'queued', 0, 0, false) $$,
  'counts a loss for a step that may have begun, and nothing for a step that was waiting'
);
select is(
  (select error_message from jobs where key = 'l'),
  'The worker process ended or sent no heartbeats while the step may have been running. The step '
    'now runs again, with no other step in its process.',
  'shows why the step was requeued, and that it runs alone'
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
update job_types set max_losses = 1 where name = 'called';
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
  $$ select tests.sweep() $$,
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
select tests.sweep();
select results_eq(
  $$ select j.status from lost as l join jobs as j on j.id = l.run where raise = '55P03' $$,
  array['failed'],
  'fails that step at the next sweep'
);
delete from app.runs;
delete from app.workers;

-- Given an old worker's heartbeats, which sweep, too
select tests.submit_steps('{"key": "o", "type": "plain"}');
select tests.claim_steps();
update app.workers set heartbeat_at = app.now() - interval '1 minute';
select worker.heartbeat(id, '[]', array['plain']) from sweeper;
update app.workers
set started_at = app.now() - interval '1 hour', beating_since = app.now() - interval '1 hour'
where id = (select id from sweeper);
select worker.heartbeat(id, '[]', array['plain']) from sweeper;
select is(
  tests.status_of('o'),
  'queued',
  'sweeps with the heartbeat of a worker of the last release'
);
select throws_ok(
  $$ select worker.requeue_lost_steps(null, '[]') $$,
  'PT422',
  null,
  'refuses a sweep without the id of a worker'
);
select is(
  tests.refusal_of($$ select worker.requeue_lost_steps(tests.worker_id(), '{}') $$) ->> 'slug',
  'results_invalid',
  'refuses a list of steps that is not an array'
);

-- Given steps that are lost, and a step whose handler crashes its process
delete from app.runs;
select tests.submit_steps('{"key": "c", "type": "plain", "on_failure": "continue"}');
select tests.claim_steps();
select tests.hand_in_result(
  'c', '{"outcome": "failed", "crashed": true, "error": {"slug": "crashed", "message": "It did."}}'
);
select results_eq(
  'select failures, losses, runs_alone from app.job_queue where lane_id is not null',
  $$ values (1, 0, true) $$,
  'counts a failure for a crash, and lets the step run alone'
);
select tests.travel('32 seconds');
select tests.claim_steps();
select results_eq(
  $$ select tests.claimed_step('c') -> 'runs_alone', tests.claimed_step('c') -> 'losses' $$,
  $$ values ('true'::jsonb, '0'::jsonb) $$,
  'tells the worker that the step runs alone'
);
select tests.hand_in_result('c', '{"outcome": "returned"}');
select ok(
  (select runs_alone from app.job_queue where lane_id is not null),
  'keeps runs_alone of a returned step'
);
select tests.claim_steps();
select tests.hand_in_result('c', '{"outcome": "rescheduled", "retry_in_ms": 0, "state": 1}');
select ok(
  (select not runs_alone from app.job_queue where lane_id is not null),
  'clears runs_alone after a reschedule'
);
select tests.claim_steps();
select tests.hand_in_result('c', '{"outcome": "lost"}');
select tests.claim_steps();
select tests.hand_in_result('c', '{"outcome": "lost"}');
select tests.claim_steps();
select tests.hand_in_result(
  'c', '{"outcome": "lost", "error": {"slug": "worker_stalled", "message": "It stalled."}}'
);
select results_eq(
  $$ select status, error_slug, error_message from jobs where key = 'c' $$,
  $$
    values (
      'failed', 'worker_stalled',
      'It stalled. This happened 3 times, so the step is not tried again.'
    )
  $$,
  'fails a step at max_losses, with the reason of the last loss'
);

-- Given a step that was lost, and fails by itself when it runs alone
delete from app.runs;
select tests.submit_steps('{"key": "d", "type": "plain"}');
select tests.claim_steps();
select tests.hand_in_result('d', '{"outcome": "lost"}');
select tests.claim_steps();
select tests.hand_in_result('d', '{"outcome": "failed"}');
select results_eq(
  'select failures, losses, runs_alone from app.job_queue where lane_id is not null',
  $$ values (1, 1, false) $$,
  'removes the mark after a failure that did not end the process'
);

-- Given a living and a silent worker, when the clock of the database is set back by an hour
delete from app.runs;
delete from app.workers;
select tests.submit_steps('{"key": "b", "type": "plain"}');
select tests.claim_steps();
select worker.send_heartbeat(id, '[]', '{}') from sweeper;
update app.workers set heartbeat_at = app.now(), started_at = app.now(), beating_since = app.now();
select tests.travel('-1 hour');
select worker.send_heartbeat(id, '[]', '{}') from sweeper;
select worker.send_heartbeat(id, '[]', '{}') from sweeper;
select results_eq(
  'select beating_since, started_at from app.workers where id = (select id from sweeper)',
  'select app.now(), app.now()',
  'counts the silence of others by the clock that was set back'
);
select tests.travel(d - interval '1 hour'), worker.send_heartbeat(id, '[]', '{}')
from sweeper, unnest('{10 seconds, 20 seconds, 31 seconds}'::interval[]) as d;
select is(
  (select worker.requeue_lost_steps(id, '[]') from sweeper),
  1,
  'requeues the step of a worker that has sent no heartbeat since the clock was set back'
);
select is_empty(
  'select from app.workers where id = tests.worker_id()',
  'deletes a worker that has sent no heartbeat since the clock was set back'
);

select * from finish();
rollback;
