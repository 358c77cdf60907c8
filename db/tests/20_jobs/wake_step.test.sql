-- app.wake_step makes a step due that rescheduled itself to a later time.
begin;
select plan(8);
insert into job_types (name) values ('noop');
select tests.submit_steps('{"key": "a", "type": "noop"}') as run;
select tests.claim_steps();
create function pg_temp.wake() returns boolean language sql as $$
  select app.wake_step(j.id) from public.jobs as j where j.key = 'a';
$$;

-- Given a step that runs
select is(pg_temp.wake(), false, 'leaves a running step as it is');

-- Given that it waits for an hour, and its lane sleeps
select tests.hand_in_result(
  'a', '{"outcome": "rescheduled", "state": {"n": 1}, "retry_in_ms": 3600000}'
);
select is(tests.claim_steps(), null, 'does not start a step that waits for its time');
delete from graphile_worker._private_jobs;
select is(pg_temp.wake(), true, 'wakes a step that waits');
select is(
  (select count(*) from graphile_worker.jobs where key = 'run_steps'),
  1::bigint,
  'wakes a worker'
);
select is(pg_temp.wake(), false, 'changes nothing if the step is due already');
select is(tests.claim_steps(), 'a', 'lets a worker start the step at once');
select is(tests.claimed_step('a') -> 'state', '{"n": 1}', 'keeps the state of the step');

-- Given that it has ended
select tests.hand_in_result('a');
select is(pg_temp.wake(), false, 'passes over a step that has ended');

select * from finish();
rollback;
