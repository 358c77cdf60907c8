-- The engine calls the registered functions once per transition, in a fixed order.
begin;
select plan(26);
select tests.create_callbacks();
create temporary table known (ana uuid, run bigint);
insert into known (ana) select tests.create_user('ana@example.com');

-- on_completed: given a batch of results
select tests.submit_steps(
  '{"key": "b", "type": "called"}, {"key": "a", "type": "called"}, {"key": "p", "type": "plain"},
  {"key": "c", "type": "called"},
  {"key": "last", "type": "plain", "depends_on": ["a", "b", "c", "p"]}'
);
select tests.claim_steps();
select tests.exchange(
  jsonb_build_array(
    tests.step_result('c', '{"outcome": "returned"}'), tests.step_result('a'),
    tests.step_result('p'), tests.step_result('b')
  )
);
select is(
  tests.list_calls(),
  'completed(b:completed a:completed)',
  'calls on_completed once for a batch, lowest id first, and for no other type'
);

-- When a step brings children
select tests.claim_steps();
select tests.hand_in_result(
  'c',
  '{"outcome": "completed", "children": [{"key": "kid", "type": "plain"}]}'
);
select is(
  tests.list_calls(),
  'completed(c:joining)',
  'calls on_completed while the children of the step are open'
);
select tests.claim_steps();
select tests.hand_in_result('kid');
select is(tests.list_calls(), null, 'does not call on_completed again when the children are done');
select is(tests.status_of('c'), 'completed', 'completes the step with its last child');
select tests.claim_steps();
select tests.hand_in_result('last');
select is(
  tests.list_calls(),
  null,
  'calls nothing at the end of a run whose root has another type'
);

-- on_rescheduled, on_run_ended: given a run of one step
select tests.submit_steps('', 'called');
select tests.claim_steps();
select tests.hand_in_result('root', '{"outcome": "rescheduled", "state": 1, "retry_in_ms": 0}', 10);
select is(
  tests.list_calls(),
  'rescheduled(root:queued)',
  'calls on_rescheduled for a step that saved its state'
);
select tests.hand_in_result(
  'root',
  '{"outcome": "failed", "error": {"slug": "x", "message": "x"}}'
);
select is(tests.list_calls(), null, 'calls nothing for a failure that is tried again');
update app.job_queue set run_at = app.now() where status = 'queued';
update app.lanes set wake_at = app.now() where wake_at < 'infinity';
select tests.claim_steps();
select tests.hand_in_result('root');
select is(
  tests.list_calls(),
  'completed(root:completed), ended(root:completed)',
  'calls on_completed before on_run_ended'
);
update known set run = tests.submit_steps('', 'called');
select tests.claim_steps();
select tests.hand_in_result('root', '{"outcome": "failed", "is_permanent": true}');
select is(
  tests.list_calls(),
  'ended(root:failed)',
  'calls on_run_ended for a failed run, and no on_completed'
);

-- on_run_reopened: given the failed run
set local request.jwt.claims = '{"role": "service_role"}';
select is(retry_job((select run from known)), 'queued', 'reopens the failed run');
select is(
  tests.list_calls(),
  'reopened(root:blocked)',
  'calls on_run_reopened before a step starts'
);
select cancel_job((select run from known));
select is(tests.list_calls(), 'ended(root:cancelled)', 'calls on_run_ended once for each end');
select cancel_job((select run from known));
select is(tests.list_calls(), null, 'calls nothing for a run that is cancelled already');
update jobs set input = '{"raise": "PT409", "on": "reopened"}' where id = (select run from known);
select throws_ok(
  'select retry_job((select run from known))',
  'PT409',
  'The secret of the product.',
  'lets on_run_reopened refuse a retry'
);
select is(
  tests.status_of('root'),
  'cancelled',
  'changes nothing when the callback refuses a retry'
);

-- When runs are deleted
update known set run = tests.submit_steps('', 'called');
select tests.claim_steps();
delete from app.runs where id = (select run from known);
select is(
  tests.list_calls(),
  'ended(root:queued)',
  'calls on_run_ended for an open run that is deleted, before its rows are'
);
select is_empty(
  'select from jobs where id = (select run from known)',
  'deletes the steps with the run'
);
update known set run = tests.submit_steps('', 'called', ana);
delete from auth.users where id = (select ana from known);
select is(
  tests.list_calls(),
  'ended(root:cancelled)',
  'calls on_run_ended once for an open run of a deleted user'
);
select is_empty(
  'select from jobs where id = (select run from known)',
  'deletes the run with its user'
);
select tests.submit_steps('', 'called');
select tests.claim_steps();
select tests.hand_in_result('root');
select tests.list_calls();
select tests.travel('31 days');
select ok(app.delete_finished_runs() > 0, 'deletes finished runs after the retention time');
select is(tests.list_calls(), null, 'calls nothing when finished runs are deleted');
select tests.travel('0 s');

-- Given callbacks that call verbs of the engine
create function app.submit_next(job_ids bigint[]) returns void language sql as $$
  select app.submit_run('{"key": "next", "type": "plain"}', null, 'after ' || job_ids[1])
$$;
create function app.cancel_own_run(job_ids bigint[]) returns void language sql as $$
  select app.cancel_runs(array(select root_id from public.jobs where id = any (job_ids)))
$$;
create function app.delete_own_run(job_ids bigint[]) returns void language sql as $$
  delete from app.runs where id in (select root_id from public.jobs where id = any (job_ids))
$$;
select app.register_callbacks('called', on_completed => 'app.submit_next');
select tests.submit_steps('', 'called');
select tests.claim_steps();
select is(
  tests.hand_in_result('root', want => 5),
  'next',
  'lets a callback submit a run, whose steps the same exchange claims'
);
select app.register_callbacks(
  'called',
  on_completed => 'app.cancel_own_run',
  on_run_ended => 'app.note_ended'
);
select tests.submit_steps(
  '{"key": "a", "type": "plain"}, {"key": "b", "type": "plain", "depends_on": ["a"]}',
  'called'
);
select tests.claim_steps();
select tests.hand_in_result('root');
select is(
  tests.statuses_of('root', 'a', 'b'),
  'cancelled cancelled cancelled',
  'lets a callback cancel the run of its own step'
);
select is(
  tests.list_calls(),
  'ended(root:cancelled)',
  'calls on_run_ended once when a callback cancels the run'
);
select app.register_callbacks(
  'called',
  on_completed => 'app.delete_own_run',
  on_run_ended => 'app.note_ended'
);
update known set run = tests.submit_steps('{"key": "a", "type": "plain"}', 'called');
select tests.claim_steps();
select tests.hand_in_result('root');
select is_empty(
  'select from app.job_queue where run_id = (select run from known)',
  'lets a callback delete the run of its own step'
);
select is(
  tests.list_calls(),
  'ended(root:joining)',
  'calls on_run_ended once when a callback deletes the run'
);

select * from finish();
rollback;
