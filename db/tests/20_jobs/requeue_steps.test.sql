-- Steps that are returned, rescheduled, or fail temporarily go back to the queue.
begin;
select plan(36);
insert into job_types (name, max_failures, backoff, backoff_max) values ('noop', 2, '10 s', '10 s');

-- Given a claimed step that its worker returns
select tests.submit_steps('{"key": "t", "type": "noop"}');
select tests.claim_steps(1);
select tests.hand_in_result('t', '{"outcome": "returned"}');
select is((select max(failures) from app.job_queue), 0, 'counts no failure for a returned step');
select is(tests.claim_steps(1), 't', 'makes a returned step ready at once');
select ok(
  (select count(distinct fence) = 2 and max(fence) > min(fence) from tests.claims where key = 't'),
  'gives every claim a higher fence'
);

-- When it is rescheduled
select tests.hand_in_result(
  't',
  '{"outcome": "rescheduled", "state": {"tick": 1}, "retry_in_ms": 60000}'
);
select is(tests.claim_steps(1), null, 'lets a rescheduled step wait');
select ok(
  (tests.last_answer() ->> 'wake_in_ms')::integer between 59000 and 60000,
  'tells the worker how long the step waits'
);
select tests.travel('61 seconds');
select is(tests.claim_steps(1), 't', 'makes a rescheduled step ready when it is due');
select is(
  tests.claimed_step('t') -> 'state',
  '{"tick": 1}',
  'returns the state that the step saved'
);

-- When it fails temporarily
select tests.hand_in_result(
  't',
  '{"outcome": "failed", "error": {"slug": "flaked", "message": "Again."}}'
);
select is((select max(failures) from app.job_queue), 1, 'counts a failure');
select is(
  (select concat_ws(' ', status, error_slug, error_message) from jobs where key = 't'),
  'queued flaked Again.',
  'shows why the step failed'
);
select is(tests.claim_steps(1), null, 'pauses after a failure');
select tests.travel('80 seconds');
select is(tests.claim_steps(1), 't', 'tries the step again after the pause');
select is(
  tests.claimed_step('t') -> 'state', '{"tick": 1}', 'keeps the saved state of a step that failed'
);
select tests.hand_in_result('t', '{"outcome": "returned"}');
select tests.claim_steps(1);
select is(
  tests.claimed_step('t') -> 'state',
  '{"tick": 1}',
  'keeps the saved state of a step that was returned'
);
select tests.hand_in_result('t', '{"outcome": "lost"}');
select tests.claim_steps(1);
select is(
  tests.claimed_step('t') -> 'state', '{"tick": 1}', 'keeps the saved state of a step that was lost'
);
select tests.hand_in_result(
  't',
  '{"outcome": "failed", "error": {"slug": "flaked", "message": "Again."}}'
);
select is(tests.status_of('t'), 'failed', 'fails the step permanently after max_failures');
select results_eq(
  $$
    select status, error_slug, error_message from jobs where key = 'root' order by id desc limit 1
  $$,
  $$ values ('failed', 'flaked', 'Step "t" failed: Again.') $$,
  'fails the run, which shows the reason of the step'
);

-- Given a step that fails again and again, with a backoff of 10 s to 60 s
insert into job_types (name, max_failures, backoff, backoff_max) values ('slow', 9, '10 s', '60 s');
create temporary table pauses (n integer, pause interval);
select tests.submit_steps('{"key": "slow", "type": "slow"}');
create function pg_temp.fail_again(n integer) returns void language plpgsql as $$
begin
  update app.job_queue set run_at = app.now() where status = 'queued';
  update app.lanes set wake_at = app.now();
  perform tests.claim_steps(1);
  perform tests.hand_in_result('slow', '{"outcome": "failed"}');
  insert into pauses
  select fail_again.n, q.run_at - app.now() from app.job_queue as q where q.status = 'queued';
end
$$;
select pg_temp.fail_again(n) from generate_series(1, 4) as n;
select ok(
  p.pause between v.shortest and v.longest,
  format('pauses for %s to %s after failure %s', v.shortest, v.longest, v.n)
)
from (
  values
    (1, '5 s'::interval, '10 s'::interval), (2, '10 s', '20 s'), (3, '20 s', '40 s'),
    (4, '30 s', '60 s')
) as v (n, shortest, longest)
join pauses as p on p.n = v.n;
select app.cancel_runs(array(select id from app.runs));

-- Given a provider that names a delay
select tests.submit_steps('{"key": "p", "type": "noop"}, {"key": "q", "type": "noop"}');
select tests.claim_steps(1);
select tests.hand_in_result('p', '{"outcome": "failed", "retry_in_ms": 30000}');
select is(
  tests.claim_steps(5),
  null,
  'starts no step of the lane before the delay of the provider is over'
);
select tests.travel('111 seconds');
select is(tests.claim_steps(5), 'p q', 'starts the steps of the lane after the delay');
select app.cancel_runs(array(select id from app.runs));

-- When it names delays again and again
select tests.submit_steps('{"key": "busy", "type": "noop"}');
select tests.claim_steps(1);
select
  tests.hand_in_result(
    'busy', '{"outcome": "failed", "error": {"slug": "provider_busy"}, "retry_in_ms": 1000}'
  ),
  tests.travel((111 + 2 * n) * interval '1 second'),
  tests.claim_steps(1)
from generate_series(1, 5) as n;
select results_eq(
  $$ select failures, delays, status from app.job_queue where parent_id is not null $$,
  $$ values (0, 5, 'running') $$,
  'counts delays of a provider apart from failures'
);
select tests.hand_in_result(
  'busy',
  '{"outcome": "rescheduled", "progress": 0.25, "retry_in_ms": 0}'
);
select is(
  (select progress from jobs where key = 'busy'),
  0.25::real,
  'shows the progress of a rescheduled step'
);
select tests.claim_steps(1);

-- Given failures, delays and losses, when a turn finishes a part of the work
update app.job_queue set failures = 1, losses = 2 where parent_id is not null;
select tests.hand_in_result('busy', '{"outcome": "rescheduled", "retry_in_ms": 0}');
select results_eq(
  $$ select failures, delays, losses from app.job_queue where parent_id is not null $$,
  $$ values (1, 5, 2) $$,
  'keeps the counts of a step that is rescheduled'
);
select tests.claim_steps(1);
select tests.hand_in_result(
  'busy', '{"outcome": "rescheduled", "retry_in_ms": 0, "resets_counts": true}'
);
select results_eq(
  $$ select failures, delays, losses from app.job_queue where parent_id is not null $$,
  $$ values (0, 0, 0) $$,
  'counts from 0 again after a turn that resets the counts'
);
select tests.claim_steps(1);
update app.job_queue set delays = 99 where parent_id is not null;
select tests.hand_in_result(
  'busy',
  '{"outcome": "failed", "error": {"slug": "provider_busy"}, "retry_in_ms": 1000}'
);
select is(tests.status_of('busy'), 'failed', 'fails a step permanently after 100 delays');

-- Given a pause of millions of years
insert into job_types (name) values ('calm');
select tests.submit_steps('{"key": "far", "type": "calm"}');
select is(
  tests.claim_steps(1),
  'far',
  'delays no lane but that of the type whose provider named a delay'
);
select tests.hand_in_result('far', '{"outcome": "rescheduled", "retry_in_ms": 100000000000000000}');
select is(tests.status_of('far'), 'queued', 'accepts a pause of any length');
select is(
  (select run_at - app.now() from app.job_queue where parent_id is not null),
  '366 days'::interval,
  'shortens a pause to 366 days'
);
select app.cancel_runs(array(select id from app.runs));
select tests.submit_steps('{"key": "late", "type": "calm"}');
select tests.claim_steps(1);
select tests.hand_in_result('late', '{"outcome": "rescheduled", "retry_in_ms": 259200000}');
select is(
  (select run_at - app.now() from app.job_queue where parent_id is not null),
  '72 hours'::interval,
  'lets a step wait for three days if it asks for them'
);

-- Given a step that reschedules itself without end
select app.cancel_runs(array(select id from app.runs));
update job_types set max_turns = 3 where name = 'calm';
create temporary table known as
select tests.submit_steps('{"key": "endless", "type": "calm"}') as run;
grant select on known to public;
create function pg_temp.turn() returns void language sql as $$
  select tests.claim_steps(1);
  select tests.hand_in_result('endless', '{"outcome": "rescheduled", "retry_in_ms": 0}');
$$;
select pg_temp.turn(), pg_temp.turn();
select tests.claim_steps(1), tests.hand_in_result('endless', '{"outcome": "returned"}');
select is(
  tests.status_of('endless'), 'queued', 'lets a step reschedule itself before its last turn'
);
select pg_temp.turn();
select is(
  (select concat_ws(' ', status, error_slug) from jobs where key = 'endless'),
  'failed too_many_turns',
  'fails a step permanently that reschedules itself after max_turns turns'
);
select tests.become('service_role');
select retry_job((select run from known));
reset role;
select pg_temp.turn(), pg_temp.turn();
select is(
  tests.status_of('endless'), 'queued', 'counts the turns of a step from 0 when its run is retried'
);

-- Given a paid step in its last turn, which waits for an operator
update job_types set is_paid = true where name = 'calm';
select tests.claim_steps(1);
update app.settings set buying_is_stopped = true;
select tests.hand_in_result(
  'endless', '{"outcome": "rescheduled", "state": 1, "retry_in_ms": 0}'
);
select pg_temp.turn(), pg_temp.turn(), pg_temp.turn();
select is(
  tests.status_of('endless'), 'queued', 'counts no turn of a paid step while buying is stopped'
);
update app.settings set buying_is_stopped = false;
select pg_temp.turn();
select is(
  tests.status_of('endless'), 'failed', 'counts the turns of a paid step when buying resumes'
);

select * from finish();
rollback;
