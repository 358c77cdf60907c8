-- At the end of a run, started_at tells which steps have begun since the run was submitted or
-- retried.
begin;
select plan(9);
insert into job_types (name, max_losses) values ('noop', 1);
create temporary table known (run bigint);
insert into known default values;
grant select on known to public;
create function pg_temp.submit() returns void language sql as $$
  update known set run = tests.submit_steps(
    '{"key": "a", "type": "noop"}, {"key": "b", "type": "noop"}, {"key": "c", "type": "noop"},
     {"key": "d", "type": "noop"}'
  );
$$;
create table app.tests_ended (begun text);
create function app.tests_note_begun(ids bigint[]) returns void language sql as $$
  insert into app.tests_ended
  select coalesce(string_agg(j.key, ' ' order by j.key), '')
  from public.jobs as j
  where j.root_id = any (ids) and j.started_at is not null and j.type = 'noop';
$$;
select app.register_callbacks('group', on_run_ended => 'app.tests_note_begun');
create function pg_temp.begun() returns text language sql as $$
  with noted as (delete from app.tests_ended returning begun)
  select string_agg(n.begun, '|') from noted as n;
$$;

-- Given running steps that no heartbeat published, when their run is cancelled
select pg_temp.submit(), tests.claim_steps(2);
select app.cancel_runs(array[run]) from known;
select is(pg_temp.begun(), 'a b', 'marks running steps of a cancelled run as begun');

-- When the run is retried and cancelled before any step runs
select tests.become('service_role');
select retry_job((select run from known)), cancel_job((select run from known));
reset role;
select is(pg_temp.begun(), '', 'counts only steps that began since a retry');

-- Given a rescheduled step, a failed one and a returned one, when the run is cancelled
select pg_temp.submit(), tests.claim_steps(3);
select
  tests.hand_in_result('a', '{"outcome": "rescheduled", "state": 1, "retry_in_ms": 60000}'),
  tests.hand_in_result('b', '{"outcome": "failed"}'),
  tests.hand_in_result('c', '{"outcome": "returned"}');
select app.cancel_runs(array[run]) from known;
select is(
  pg_temp.begun(),
  'a b',
  'marks steps as begun that were rescheduled or failed, and no step that was returned unbegun'
);

-- Given a step that its worker stopped, when the run is cancelled
select pg_temp.submit(), tests.claim_steps(1);
select tests.hand_in_result('a', '{"outcome": "returned", "begun": true}');
select app.cancel_runs(array[run]) from known;
select is(pg_temp.begun(), 'a', 'marks a step as begun that its worker stopped');

-- Given a step that fails the run
select pg_temp.submit(), tests.claim_steps(3);
select
  tests.hand_in_result('a', '{"outcome": "rescheduled", "state": 1, "retry_in_ms": 60000}'),
  tests.hand_in_result('b', '{"outcome": "failed", "is_permanent": true}'),
  tests.hand_in_result('c', '{"outcome": "completed"}');
select is(
  pg_temp.begun(), 'a b c', 'marks skipped, failed and completed steps of a failed run as begun'
);

-- Given a step that is lost
select pg_temp.submit(), tests.claim_steps(1);
select tests.hand_in_result('a', '{"outcome": "lost"}');
select is(pg_temp.begun(), 'a', 'marks a lost step as begun');

-- Given a run that completes
select pg_temp.submit(), tests.claim_steps();
select
  tests.hand_in_result('a'), tests.hand_in_result('b'), tests.hand_in_result('c'),
  tests.hand_in_result('d');
select is(pg_temp.begun(), 'a b c d', 'marks completed steps as begun');

-- Given an open run that is deleted
select pg_temp.submit(), tests.claim_steps(2);
delete from app.runs where id in (select run from known);
select is(pg_temp.begun(), 'a b', 'marks running steps of a deleted run as begun');

-- Given a heartbeat that lists a step which waits for a slot
select pg_temp.submit(), tests.claim_steps(2);
select worker.send_heartbeat(
  tests.worker_id(),
  jsonb_build_array(
    tests.step_result('a', '{"waiting": true}'), tests.step_result('b', '{"waiting": false}')
  ),
  '{"noop": 1}'
);
select is(
  (
    select string_agg(key, ' ')
    from jobs
    where status = 'running' and root_id in (select run from known)
  ),
  'b',
  'publishes no step as running that waits for a slot'
);

select * from finish();
rollback;
