-- A worker that signs off requeues the steps that it still has.
begin;
select plan(5);
insert into job_types (name) values ('noop');

-- Given a worker with two steps, which signs off
select tests.submit_steps('{"key": "a", "type": "noop"}, {"key": "b", "type": "noop"}');
select tests.claim_steps();
select worker.send_heartbeat(tests.worker_id(), '[]', '{"noop": 1}');
delete from graphile_worker._private_jobs;
select worker.leave(tests.worker_id());
select results_eq(
  $$
    select j.key collate "default", q.status, q.failures, q.losses, q.runs_alone
    from app.job_queue as q join jobs as j on j.id = q.job_id where j.type = 'noop' order by 1
  $$,
  $$ values ('a', 'queued', 0, 0, false), ('b', 'queued', 0, 0, false) $$,
  'requeues the steps that the worker still has, and counts nothing'
);
select is_empty('select from app.workers', 'removes the worker');
select isnt_empty('select from graphile_worker.jobs', 'wakes another worker');

-- Then its results are refused, and another sign-off changes nothing
select tests.hand_in_result('a');
select is(
  tests.last_answer() #>> '{refused,0,reason}',
  'step_lost',
  'refuses results of a worker that has signed off'
);
select lives_ok('select worker.leave(gen_random_uuid())', 'accepts a worker that it does not know');

select * from finish();
rollback;
