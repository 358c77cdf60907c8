-- cancel_job cancels every step of a run that has not finished.
begin;
select plan(11);

insert into job_types (name) values ('noop');
create temporary table known (ana uuid, ben uuid, run bigint);
insert into known (ana, ben)
select tests.create_user('ana@example.com'), tests.create_user('ben@example.com');
grant select on known to public;

-- Given a run of Ana's in which a has completed, and b and c are running
update known set run = app.submit_run(
  '{"key": "root", "type": "group", "steps": [
    {"key": "a", "type": "noop"}, {"key": "b", "type": "noop", "depends_on": ["a"]},
    {"key": "g", "type": "group", "depends_on": ["a"], "steps": [{"key": "c", "type": "noop"}]}]}',
  ana, null);
select tests.claim_steps();
select tests.hand_in_result('a', '{"outcome": "completed", "output": "a"}', 5);

-- Then only its owner cancels it, and only as a whole
select tests.sign_in((select ben from known));
select throws_ok(
  'select cancel_job((select run from known))',
  'PT404',
  'Job not found.',
  'answers 404 to another user'
);
select tests.sign_in((select ana from known));
select throws_ok(
  'select cancel_job((select run + 1 from known))',
  'PT409',
  null,
  'refuses to cancel a single step'
);
select is(
  tests.refusal_of('select cancel_job((select run + 1 from known))') ->> 'hint',
  format('Use the id of its root job: %s.', (select run from known)),
  'names the root in the hint when the job is a step'
);
select is(cancel_job((select run from known)), 'cancelled', 'returns "cancelled" to the owner');
select is(
  cancel_job((select run from known)),
  'cancelled',
  'returns "cancelled" again when the run is cancelled already'
);
select results_eq(
  $$
    select key collate "default", status
    from jobs where root_id = (select run from known) order by id
  $$,
  $$
    values
      ('root', 'cancelled'), ('a', 'completed'), ('b', 'cancelled'), ('g', 'cancelled'),
      ('c', 'cancelled')
  $$,
  'cancels every step that had not finished, and keeps completed ones'
);

-- When workers still hand in results
reset role;
select tests.exchange(jsonb_build_array(tests.step_result('b'), tests.step_result('c')));
select is(
  jsonb_array_length(tests.last_answer() -> 'refused'),
  2,
  'refuses results of steps that were cancelled while they ran'
);
select is_empty('select * from app.job_queue', 'leaves no step of the run in the queue');

-- Given a run that has ended by itself
update known set run = tests.submit_steps('', 'noop', ana);
select tests.claim_steps();
select tests.hand_in_result('root');
select tests.sign_in((select ana from known));
select throws_ok(
  'select cancel_job((select run from known))',
  'PT409',
  'The run has already completed.',
  'refuses to cancel a completed run'
);
reset role;
update known set run = tests.submit_steps('', 'noop', ana);
select tests.claim_steps();
select tests.hand_in_result('root', '{"outcome": "failed", "is_permanent": true}');
select tests.sign_in((select ana from known));
select throws_ok(
  'select cancel_job((select run from known))',
  'PT409',
  'The run has already failed.',
  'refuses to cancel a failed run'
);
select is(
  tests.refusal_of('select cancel_job((select run from known))') ->> 'slug',
  'job_finished',
  'names the slug job_finished for a finished run'
);

select * from finish();
rollback;
