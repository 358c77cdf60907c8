-- on_failure decides the effect of a permanent failure: fail_run, skip_dependents, continue.
begin;
select plan(10);
insert into job_types (name) values ('noop');

-- fail_run: given two running steps
select tests.submit_steps('{"key": "p", "type": "noop"}, {"key": "q", "type": "noop"}');
select tests.claim_steps();
select tests.hand_in_result(
  'p',
  '{"outcome": "failed", "is_permanent": true, "error": {"slug": "gone", "message": "No."}}'
);
select is(tests.status_of('p'), 'failed', 'fails a step at once when the failure is permanent');
select is(tests.status_of('q'), 'running', 'fail_run: lets running steps run');
select is(
  worker.heartbeat(tests.worker_id(), jsonb_build_array(tests.step_result('q'))) #> '{stop,0,id}',
  tests.claimed_step('q') -> 'id',
  'fail_run: tells the worker to stop the running steps'
);
select isnt(tests.status_of('root'), 'failed', 'fail_run: keeps the root open while steps run');
select tests.hand_in_result('q', '{"outcome": "returned"}');
select is(
  tests.statuses_of('q', 'root'),
  'skipped failed',
  'fail_run: skips returned steps, and fails the root after the last one'
);

-- skip_dependents
select tests.submit_steps(
  '{"key": "s", "type": "noop", "on_failure": "skip_dependents",
    "steps": [{"key": "s1", "type": "noop"}]},
  {"key": "s2", "type": "noop", "depends_on": ["s"]},
  {"key": "s3", "type": "group", "depends_on": ["s2"], "steps": [{"key": "s4", "type": "noop"}]},
  {"key": "o", "type": "noop"}'
);
select tests.claim_steps();
select tests.hand_in_result('s', '{"outcome": "failed", "is_permanent": true}');
select is(
  tests.statuses_of('s', 's1', 's2', 's3', 's4', 'o'),
  'failed skipped skipped skipped skipped running',
  'skip_dependents: skips everything below the step and everything that depends on it'
);
select tests.hand_in_result('o');
select is(tests.status_of('root'), 'completed', 'skip_dependents: completes the run');

-- continue
select tests.submit_steps(
  '{"key": "c", "type": "noop", "on_failure": "continue"},
  {"key": "d", "type": "noop", "depends_on": ["c"]}'
);
select tests.claim_steps();
select is(
  tests.hand_in_result(
    'c', '{"outcome": "failed", "is_permanent": true, "error": {"slug": "gone"}}', 5
  ),
  'd',
  'continue: starts the dependents'
);
select is(
  tests.claimed_step('d') #> '{outputs,0,1}',
  '{"error": "gone"}',
  'continue: gives the dependents the slug of the failure as output'
);
select tests.hand_in_result('d');
select is(tests.status_of('root'), 'completed', 'continue: completes the run');

select * from finish();
rollback;
