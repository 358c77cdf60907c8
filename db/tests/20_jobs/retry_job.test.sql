-- retry_job runs the steps of a finished run again that did not complete.
begin;
select plan(19);

insert into job_types (name) values ('noop');
create temporary table known (ana uuid, ben uuid, run bigint);
insert into known (ana, ben)
select tests.create_user('ana@example.com'), tests.create_user('ben@example.com');
grant select on known to public;

-- Given an open run of Ana's
update known set run = app.submit_run(
  '{"key": "root", "type": "group", "steps": [
    {"key": "a", "type": "noop"}, {"key": "b", "type": "noop", "depends_on": ["a"]},
    {"key": "g", "type": "group", "depends_on": ["a"], "steps": [{"key": "c", "type": "noop"}]}]}',
  ana, null);
select tests.claim_steps();
select tests.hand_in_result('a', '{"outcome": "completed", "output": "a"}', 5);
select tests.sign_in((select ben from known));
select throws_ok(
  'select retry_job((select run from known))',
  'PT404',
  'Job not found.',
  'answers 404 to another user'
);
select tests.sign_in((select ana from known));
select throws_ok(
  'select retry_job((select run from known))',
  'PT409',
  'The run has not finished.',
  'refuses a run that has not finished'
);
select is(
  tests.refusal_of('select retry_job((select run from known))') ->> 'slug',
  'job_not_finished',
  'names the slug job_not_finished for an open run'
);

-- When it is cancelled and retried
select cancel_job((select run from known));
select is(retry_job((select run from known)), 'joining', 'returns the new status of the root');
reset role;
select is(
  tests.claim_steps(),
  'b c',
  'runs the steps again that did not complete, and no other step'
);
select is((select output from jobs where key = 'a'), '"a"', 'keeps the outputs of completed steps');
select tests.exchange(jsonb_build_array(tests.step_result('b'), tests.step_result('c')));
select tests.sign_in((select ana from known));
select is(
  (select status from jobs where id = (select run from known)),
  'completed',
  'lets the run complete'
);
select throws_ok(
  'select retry_job((select run from known))',
  'PT409',
  'Every step of the run is completed, so there is nothing to retry.',
  'refuses a run in which every step is completed'
);
select is(
  tests.refusal_of('select retry_job((select run from known))') ->> 'slug',
  'job_completed',
  'names the slug job_completed for such a run'
);
select throws_ok(
  'select cancel_job((select run from known))',
  'PT409',
  null,
  'lets nobody cancel the run once it has completed'
);
select throws_ok(
  'select retry_job((select run + 1 from known))',
  'PT409',
  null,
  'refuses to retry a single step'
);

-- Given a completed run with a failed step, and a limit of two retries an hour
reset role;
update jobs set status = 'failed', worked_at = null where id = (select run + 1 from known);
update app.settings set job_retries_per_hour = 2;
select tests.sign_in((select ana from known));
select lives_ok(
  'select retry_job((select run from known))',
  'retries a completed run that contains a failed step'
);
select cancel_job((select run from known));
select throws_ok(
  'select retry_job((select run from known))',
  'PGRST',
  null,
  'answers 429 after as many retries as app.settings allows'
);
select tests.become('service_role');
select lives_ok('select retry_job((select run from known))', 'sets no limit to service_role');
select cancel_job((select run from known));

-- Given a run whose object was deleted
reset role;
update app.runs set is_closed = true where id = (select run from known);
update app.settings set job_retries_per_hour = default;
select tests.sign_in((select ana from known));
select throws_ok(
  'select retry_job((select run from known))',
  'PT409',
  'The object that the run worked on was deleted.',
  'refuses a closed run'
);
select is(
  tests.refusal_of('select retry_job((select run from known))') ->> 'slug',
  'job_closed',
  'names the slug job_closed for a closed run'
);

-- Given a run that failed because a step crashed its process, and a neighbour was lost with it
reset role;
select app.submit_run(
  '{"key": "poison", "type": "group", "steps": [
    {"key": "crash", "type": "noop", "on_failure": "continue"}, {"key": "lost", "type": "noop"},
    {"key": "plain", "type": "noop"}]}',
  null, null);
select tests.claim_steps();
select tests.hand_in_result(
  'crash',
  '{"outcome": "failed", "crashed": true, "is_permanent": true, '
  '"error": {"slug": "handler_crashed"}}'
);
select tests.hand_in_result('lost', '{"outcome": "lost"}');
select tests.hand_in_result('plain', '{"outcome": "failed", "is_permanent": true}');

-- When it is retried
select set_config('request.jwt.claims', '{"role": "service_role"}', true);
select retry_job(id) from jobs where key = 'poison';
select results_eq(
  $$
    select j.key collate "default", q.runs_alone, q.losses
    from app.job_queue as q join jobs as j on j.id = q.job_id
    where j.key in ('crash', 'lost', 'plain') order by 1
  $$,
  $$ values ('crash', true, 0), ('lost', true, 0), ('plain', false, 0) $$,
  'lets a step that crashed or was lost with its process run alone, with a new budget'
);

-- Given a user whose retries of the hour are used up, and a run that was cancelled
update app.settings set job_retries_per_hour = 1;
create function pg_temp.updated_jobs() returns bigint language sql as $$
  select n_tup_upd from pg_stat_xact_user_tables where relid = 'public.jobs'::regclass
$$;
update known set run = app.submit_run(
  '{"key": "root", "type": "group", "steps": [{"key": "a", "type": "noop"}]}', ben, null
);
select tests.sign_in((select ben from known));
select cancel_job((select run from known));
select retry_job((select run from known));
select cancel_job((select run from known));
reset role;
create temporary table updated as select pg_temp.updated_jobs() as jobs;

-- When the user retries it once more
select tests.sign_in((select ben from known));
select matches(
  tests.refusal_of('select retry_job((select run from known))') ->> 'message',
  'rate_limited',
  'refuses a retry when the retries of the hour are used up'
);
reset role;
select is(
  pg_temp.updated_jobs(), (select jobs from updated),
  'reopens no step for a retry that the rate refuses'
);

select * from finish();
rollback;
