-- worker.send_heartbeat records what a worker says, and nothing that it said before.
begin;
select plan(6);
insert into job_types (name) values ('noop');

-- Given a worker with two claimed steps, of which one has not begun
select tests.submit_steps('{"key": "a", "type": "noop"}, {"key": "b", "type": "noop"}');
select tests.claim_steps();
create function pg_temp.beat(running jsonb default '[]') returns jsonb language sql as $$
  select worker.send_heartbeat(tests.worker_id(), running, '{"noop": 1}')
$$;
create function pg_temp.waiting() returns bigint[] language sql as $$
  select waiting_fences from app.workers where id = tests.worker_id()
$$;
select is(
  pg_temp.beat(
    jsonb_build_array(tests.step_result('a'), tests.step_result('b', '{"waiting": true}'))
  ) ->> 'lease_ms',
  '30000',
  'returns the lease in milliseconds'
);
select is(
  pg_temp.waiting(),
  array[(tests.claimed_step('b') ->> 'fence')::bigint],
  'records which steps have not begun'
);

-- When the waiting step begins
select pg_temp.beat(
  jsonb_build_array(tests.step_result('a'), tests.step_result('b', '{"waiting": false}'))
);
select is(pg_temp.waiting(), '{}', 'forgets that a step waited when it has begun');
select pg_temp.beat(jsonb_build_array(tests.step_result('a', '{"waiting": true}')));
select pg_temp.beat();
select is(pg_temp.waiting(), '{}', 'forgets steps that the worker does not list any more');
select is(
  (tests.claimed_step('a') ->> 'now_ms')::bigint,
  (
    select (extract(epoch from q.claimed_at) * 1000)::bigint
    from app.job_queue as q
    where q.job_id = (tests.claimed_step('a') ->> 'id')::bigint
  ),
  'tells a step the time of its claim, by the clock of the database'
);

-- Given a worker of the last release, which has recorded no beginning of its heartbeats
update app.workers
set beating_since = '-infinity', started_at = app.now() - interval '10 seconds';
select pg_temp.beat();
select is(
  (select beating_since from app.workers where id = tests.worker_id()),
  app.now() - interval '10 seconds',
  'counts no silence of others from before the worker started'
);

select * from finish();
rollback;
