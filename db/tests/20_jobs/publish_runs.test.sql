-- public.runs shows each run to its owner: at once when it is submitted, then as the sweep counts.
begin;
select plan(44);

insert into job_types (name, max_failures) values ('noop', 1);
create temporary table known (ana uuid, ben uuid, run bigint, other bigint);
insert into known (ana, ben)
select tests.create_user('ana@example.com'), tests.create_user('ben@example.com');
grant select on known to public;
create function pg_temp.shown(run bigint)
  returns text
  language sql
as $$
  select concat_ws(' ', r.status, r.progress, r.steps_done, r.steps_failed, r.steps_open)
  from public.runs as r
  where r.job_id = run
$$;
grant execute on function pg_temp.shown(bigint) to authenticated;
-- A second later, as the sweep sees it.
create function pg_temp.publish()
  returns integer
  language sql
as $$
  update public.runs set updated_at = updated_at - interval '1 second';
  select app.publish_runs();
$$;

-- Given a run of Ana's with a group and three steps
update known set run = app.submit_run(
  '{"key": "root", "type": "group", "steps": [
    {"key": "a", "type": "noop"},
    {"key": "b", "type": "noop", "on_failure": "continue"},
    {"key": "c", "type": "noop", "depends_on": ["a", "b"]}
  ]}', ana, null);

-- Then she sees it at once, and nobody else does
select tests.sign_in((select ana from known));
select results_eq(
  'select job_id, owner_id, type, label, status, progress from runs',
  $$ select run, ana, 'group', 'root', 'queued', 0::real from known $$,
  'shows a run to its owner in the transaction that submits it'
);
select results_eq(
  'select steps_done, steps_failed, steps_open from runs',
  $$ values (0, 0, 4) $$,
  'counts every step of a new run as open, including the root'
);
select throws_ok(
  $$ update runs set status = 'completed' $$, '42501', null, 'lets no user write runs'
);
select throws_ok('delete from runs', '42501', null, 'lets no user delete runs');
select throws_ok(
  $$ insert into runs (job_id) values (1) $$, '42501', null, 'lets no user insert runs'
);
select tests.sign_in((select ben from known));
select is_empty('select id from runs', 'hides a run from another user');
select tests.become('anon');
select throws_ok('select id from runs', '42501', null, 'hides runs from anon');
select tests.become('service_role');
select isnt_empty('select * from runs', 'shows runs to service_role');
reset role;
select is(app.publish_runs(), 0, 'writes nothing while nothing changes');

-- When its steps run
select tests.claim_steps();
select is_empty('select id from app.run_changes', 'records no change for a claim');
select worker.send_heartbeat(
  tests.worker_id(),
  jsonb_build_array(tests.step_result('a', '{"progress": 0.5}'), tests.step_result('b', '{}')),
  '{}'
);
select is(
  (select array_agg(run_id) from app.run_changes),
  (select array[run] from known),
  'records one change for each run of a heartbeat'
);
select is(app.publish_runs(), 0, 'does not write a run within a second of its last write');
select is(
  (select count(*)::integer from app.run_changes), 1, 'keeps the change for the next second'
);
select is(pg_temp.publish(), 1, 'writes a changed run a second later');
select is(
  pg_temp.shown((select run from known)),
  'running 0.1667 0 0 4',
  'shows progress as the mean of the steps below the root'
);
select is_empty('select id from app.run_changes', 'deletes the changes that it has written');

-- When they end, in two transactions
select tests.hand_in_result('a');
select tests.hand_in_result(
  'b', '{"outcome": "failed", "error": {"slug": "broken", "message": "It broke."}}'
);
select is(pg_temp.shown((select run from known)), 'running 0.1667 0 0 4', 'no step writes its run');
select is(pg_temp.publish(), 1, 'writes a run once for several changes');
select is(
  pg_temp.shown((select run from known)),
  'running 0.3333 1 1 2',
  'counts completed and failed steps'
);

-- When a step changes nothing that clients see
select tests.claim_steps();
select tests.hand_in_result('c', '{"outcome": "rescheduled", "state": {"n": 1}, "retry_in_ms": 0}');
create temporary table written as select updated_at - interval '1 second' as at from runs;
select pg_temp.publish();
select is(
  (select updated_at from runs), (select at from written), 'leaves a row without a change alone'
);
select is_empty('select id from app.run_changes', 'deletes a change that clients cannot see');
select is(
  pg_temp.shown((select run from known)),
  'running 0.3333 1 1 2',
  'keeps a run with a queued step running once a step has begun'
);

-- When the run ends
select tests.claim_steps();
select tests.hand_in_result('c');
select pg_temp.publish();
select is(
  pg_temp.shown((select run from known)),
  'completed 1 3 1 0',
  'shows a completed run with its failed step'
);

-- When it is retried, and cancelled
select tests.sign_in((select ana from known));
select lives_ok('select retry_job((select run from known))', 'the run is retried');
select is(
  pg_temp.shown((select run from known)),
  'running 0.6667 2 0 2',
  'shows a retried run as running to the client that retried it'
);
select lives_ok('select cancel_job((select run from known))', 'the run is cancelled');
select is(
  pg_temp.shown((select run from known)),
  'cancelled 0.6667 2 0 0',
  'counts cancelled steps neither as done nor as failed'
);
select retry_job((select run from known));
reset role;
select app.cancel_runs(array[run]) from known;
select pg_temp.publish();
select is(
  pg_temp.shown((select run from known)),
  'cancelled 0.6667 2 0 0',
  'shows a run that a product cancelled'
);

-- When a run fails while another step of it is running
update known set other = tests.submit_steps(
  '{"key": "x", "type": "noop"}, {"key": "y", "type": "noop"}', 'group', ana
);
select tests.claim_steps();
select tests.hand_in_result(
  'x', '{"outcome": "failed", "error": {"slug": "broken", "message": "It broke."}}'
);
select pg_temp.publish();
select matches(
  pg_temp.shown((select other from known)),
  '^running .* 0 1 2$',
  'shows no final status before the last step has ended'
);
select tests.hand_in_result('y');
select pg_temp.publish();
select matches(
  pg_temp.shown((select other from known)), '^failed .* 1 2 0$', 'shows the final status then'
);

-- Given an open run of many steps
update known set other = tests.submit_steps('{"key": "z", "type": "noop"}', 'group', ana);
update app.runs set steps = 20000 where id = (select other from known);
select tests.claim_steps();
select worker.send_heartbeat(
  tests.worker_id(), jsonb_build_array(tests.step_result('z', '{}')), '{}'
);
select is(pg_temp.publish(), 0, 'does not count a large open run each second');
select app.cancel_runs(array[other]) from known;
select is(pg_temp.publish(), 1, 'writes the final status of a large run without that delay');

-- Given a run that an older release submitted, and one that is deleted
update known set other = tests.submit_steps('{"key": "z", "type": "noop"}', 'group', ana);
delete from public.runs where job_id = (select other from known);
insert into app.run_changes (run_id) select run from known union all select other from known;
delete from app.runs where id = (select run from known);
select is(
  pg_temp.shown((select run from known)), null, 'deletes the row of a run with the run'
);
-- The first call writes the row, too, if the run is older than a second on a slow machine.
select is(
  app.publish_runs() + pg_temp.publish(), 1, 'inserts the row of a run that has none, and writes it'
);
select is(pg_temp.shown((select other from known)), 'queued 0 0 0 2', 'counts its steps');
select is_empty('select id from app.run_changes', 'forgets the changes of a deleted run');

-- Given a row that was written before the clock was set back
update public.runs set updated_at = app.clock() + interval '1 hour';
insert into app.run_changes (run_id) select other from known;
select is(app.publish_runs(), 1, 'writes a row from the future at once');

-- Given many changes of deleted runs
insert into app.run_changes (run_id) select -n from generate_series(1, 400) as n;
insert into app.run_changes (run_id) select other from known;
select pg_temp.publish();
select is_empty('select id from app.run_changes', 'forgets the changes of many deleted runs');

-- Given a user with 301 runs, who is deleted
select app.submit_run('{"key": "root", "type": "noop"}', ben, null)
from known, generate_series(1, 301);
delete from auth.users where id = (select ben from known);
select is(
  (select count(*)::integer from app.runs where owner_id = (select ben from known)),
  0,
  'deletes the runs with their user'
);
select is(
  (select count(*)::integer from runs where owner_id = (select ben from known)),
  301,
  'leaves the rows of many runs to the sweep, because one transaction is one poll of Realtime'
);
select is(app.publish_runs(), 300, 'deletes 300 of these rows');
select is(app.publish_runs(), 1, 'deletes the last row in the next transaction');
select is_empty(
  'select id from runs where owner_id = (select ben from known)', 'leaves no row of a deleted user'
);
select is(app.publish_runs(), 0, 'writes nothing for a deleted user');

select * from finish();
rollback;
