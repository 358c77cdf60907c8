-- The state that a step saved survives every end of its run, until the step itself drops it.
begin;
select plan(24);
insert into job_types (name, max_failures, backoff, backoff_max, is_paid)
values ('film', 2, '1 s', '1 s', true);
insert into job_types (name) values ('noop');
create temporary table known (ana uuid, run bigint);
insert into known (ana) select tests.create_user('ana@example.com');
grant select on known to public;
create function pg_temp.submit(steps text) returns void language sql as $$
  update known set run = tests.submit_steps(submit.steps, 'group', known.ana);
$$;
create function pg_temp.begin_film(state text default '{"operation": 1}') returns void language sql
as $$
  select tests.claim_steps();
  select tests.hand_in_result(
    'film', format('{"outcome": "rescheduled", "state": %s, "retry_in_ms": 0}', state)::jsonb
  );
$$;
create function pg_temp.saved() returns text language sql as $$
  select string_agg(j.key || ' ' || s.state::text, ', ' order by j.id)
  from app.step_states as s join public.jobs as j on j.id = s.job_id;
$$;

-- Given a step that saved a state, in a run that is cancelled
select pg_temp.submit('{"key": "film", "type": "film"}, {"key": "other", "type": "noop"}');
select pg_temp.begin_film();
select tests.hand_in_result('other');
select app.cancel_runs(array[run]) from known;
select is(pg_temp.saved(), 'film {"operation": 1}', 'keeps the state of a cancelled step');
select tests.become('service_role');
select retry_job((select run from known));
reset role;
select is(pg_temp.saved(), null, 'moves the state back into the queue when the run is retried');
select tests.claim_steps();
select is(
  tests.claimed_step('film') -> 'state',
  '{"operation": 1}',
  'returns the state to the step of a cancelled and retried run'
);

-- When the run is cancelled while the next turn of the step runs
select app.cancel_runs(array[run]) from known;
select is(
  pg_temp.saved(),
  'film {"operation": 1}',
  'keeps the state of a step that was running when its run was cancelled'
);
select tests.hand_in_result(
  'film', '{"outcome": "rescheduled", "state": {"operation": 2}, "retry_in_ms": 0}'
);
select is(
  tests.last_answer() #>> '{refused,0,reason}',
  'step_lost',
  'refuses the result of a cancelled step'
);
select is(
  pg_temp.saved(),
  'film {"operation": 1}',
  'stores no state from a refused result of a cancelled step'
);
select tests.become('service_role');
select retry_job((select run from known));
reset role;
select tests.hand_in_result(
  'film', '{"outcome": "rescheduled", "state": {"operation": 3}, "retry_in_ms": 0}'
);
select is(
  (select state from app.job_queue where state is not null),
  '{"operation": 1}',
  'stores no state from a result with an old fence after a retry'
);

-- When it fails for good, without a word about its operation
select tests.claim_steps();
select tests.hand_in_result('film', '{"outcome": "failed", "error": {"slug": "unreachable"}}');
select tests.travel('10 seconds');
select tests.claim_steps();
select tests.hand_in_result('film', '{"outcome": "failed", "error": {"slug": "unreachable"}}');
select is(
  tests.status_of('film') || ' ' || pg_temp.saved(),
  'failed film {"operation": 1}',
  'keeps the state of a step that failed max_failures times'
);
select tests.become('service_role');
select retry_job((select run from known));
reset role;
select tests.claim_steps();
select is(
  tests.claimed_step('film') -> 'state',
  '{"operation": 1}',
  'returns the state to the step of a failed and retried run'
);

-- When it fails because its operation has ended, and is tried again
select tests.hand_in_result(
  'film', '{"outcome": "failed", "error": {"slug": "refused"}, "state": null}'
);
select tests.travel('20 seconds');
select tests.claim_steps();
select is(
  tests.claimed_step('film') -> 'state',
  'null'::jsonb,
  'drops the state of a step that fails temporarily because its operation has ended'
);

-- When it fails permanently because its operation has ended
select tests.hand_in_result(
  'film', '{"outcome": "rescheduled", "state": {"operation": 4}, "retry_in_ms": 0}'
);
select tests.claim_steps();
select tests.hand_in_result(
  'film',
  '{"outcome": "failed", "is_permanent": true, "error": {"slug": "refused"}, "state": null}'
);
select is(
  tests.status_of('film'), 'failed', 'fails a step permanently although it hands in no state'
);
select is(
  pg_temp.saved(), null, 'keeps no state of a step that fails because its operation has ended'
);

-- Given a step whose sibling fails the run
select pg_temp.submit('{"key": "film", "type": "film"}, {"key": "other", "type": "noop"}');
select pg_temp.begin_film();
select tests.hand_in_result('other', '{"outcome": "failed", "is_permanent": true}');
select is(
  tests.status_of('film') || ' ' || pg_temp.saved(),
  'skipped film {"operation": 1}',
  'keeps the state of a step that is skipped because its run fails'
);

-- When the step is lost with its worker again and again
select tests.become('service_role');
select retry_job((select run from known));
reset role;
update job_types set max_losses = 1 where name = 'film';
select tests.claim_steps();
select tests.hand_in_result('other');
select tests.hand_in_result('film', '{"outcome": "lost"}');
select is(
  tests.status_of('film') || ' ' || pg_temp.saved(),
  'failed film {"operation": 1}',
  'keeps the state of a step that was lost max_losses times'
);

-- When its output cannot be used
select tests.become('service_role');
select retry_job((select run from known));
reset role;
update job_types set max_output_bytes = 10 where name = 'film';
select tests.claim_steps();
select tests.hand_in_result('film', '{"outcome": "completed", "output": "much too much"}');
select is(
  tests.status_of('film') || ' ' || pg_temp.saved(),
  'failed film {"operation": 1}',
  'keeps the state of a step whose output is too large'
);
update job_types set max_output_bytes = 1000 where name = 'film';

-- When it completes
select tests.become('service_role');
select retry_job((select run from known));
reset role;
select tests.claim_steps();
select tests.hand_in_result('film');
select is(tests.status_of('film'), 'completed', 'completes a step that was retried with a state');
select is(pg_temp.saved(), null, 'keeps no state of a completed step');

-- Given a step that fails in the turn in which it reaches max_turns
update job_types set max_turns = 1 where name = 'film';
select pg_temp.submit('{"key": "film", "type": "film"}');
select pg_temp.begin_film();
select is(
  tests.status_of('film') || ' ' || pg_temp.saved(),
  'failed film {"operation": 1}',
  'keeps the state that a step saves in its last turn'
);

-- When clients ask for states
select tests.sign_in((select ana from known));
select throws_ok(
  'select state from app.step_states', '42501', null, 'shows no state to the owner of a step'
);
select throws_ok(
  'insert into app.step_states (job_id, run_id, state) values (1, 1, ''1'')',
  '42501',
  null,
  'lets no client write a state'
);
reset role;
select is(
  (select count(*)::integer from information_schema.columns
    where table_schema = 'public' and table_name = 'jobs' and column_name ~ 'state'),
  0,
  'has no column with states in the table that clients read'
);

-- When the run is deleted after its retention
update app.runs set finished_at = now() - interval '1 year' where id in (select run from known);
select app.delete_finished_runs();
select is(pg_temp.saved(), null, 'deletes the states of a run that is deleted after its retention');

-- When its owner is deleted
update job_types set max_turns = 100 where name = 'film';
select pg_temp.submit('{"key": "film", "type": "film"}');
select pg_temp.begin_film();
select app.cancel_runs(array[run]) from known;
select isnt(
  pg_temp.saved(), null, 'keeps the state of a cancelled step until its owner is deleted'
);
delete from auth.users where id in (select ana from known);
select is(
  (select count(*)::integer from app.step_states), 0, 'deletes the states of a deleted user'
);

select * from finish();
rollback;
