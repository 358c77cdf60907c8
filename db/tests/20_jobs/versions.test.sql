-- A step goes only to a worker that knows its version.
begin;
select plan(10);
insert into job_types (name) values ('noop'), ('other');

-- Given a worker that announces nothing
select tests.submit_steps('{"key": "one", "type": "noop"}');
update job_types set version = 2 where name = 'noop';
select tests.submit_steps('{"key": "two", "type": "noop"}, {"key": "o", "type": "other"}');
select is(
  tests.claim_steps(),
  'o one',
  'gives a worker that announces no version the steps of version 1'
);
select is(tests.claim_steps(), null, 'keeps a step of a later version queued');
select is(
  tests.last_answer() -> 'wake_in_ms',
  '0',
  'tells that a step is due, because another worker may know its version'
);

-- When it announces an earlier version, a later one, or another type
select worker.send_heartbeat(tests.worker_id(), '[]', '{"noop": 1, "other": 7}');
select is(tests.claim_steps(), null, 'gives no step to a worker that knows an earlier version');
select worker.send_heartbeat(tests.worker_id(), '[]', '{"other": 7}');
select is(tests.claim_steps(), null, 'gives no step to a worker that announces other types only');
select worker.send_heartbeat(tests.worker_id(), '[]', '{"noop": 3}');
select is(tests.claim_steps(), 'two', 'gives the step to a worker that knows a later version');

-- Given a retried run
select tests.hand_in_result(
  'two', '{"outcome": "failed", "is_permanent": true, "error": {"slug": "x", "message": "No."}}'
);
select tests.hand_in_result('o');
select set_config('request.jwt.claims', '{"role": "service_role"}', true);
update job_types set version = 4 where name = 'noop';
select retry_job(root_id) from jobs where key = 'two';
select is(
  tests.claim_steps(),
  'two',
  'keeps the version of a step that is retried, because its input is the same'
);

-- Given malformed announcements
select is(
  tests.refusal_of(
    format('select worker.send_heartbeat(tests.worker_id(), %L, %L)', '[]', v)
  ) ->> 'slug',
  'results_invalid',
  format('refuses %s as versions', v)
)
from unnest(array['[]', '{"noop": 0}', '{"noop": "1"}']) as v;

select * from finish();
rollback;
