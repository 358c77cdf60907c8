-- A provider's delay and a spent day hold a lane for a bounded time; an operator can lift the hold.
begin;
select plan(20);
insert into job_types (name, max_failures) values ('text', 2);
create temporary table known (ana uuid, run bigint);
insert into known (ana) select tests.create_user('ana@example.com');
grant select on known to public;
create function pg_temp.hold() returns interval language sql as $$
  -- Null for a lane without a hold: Postgres 15 has no infinite intervals.
  select nullif(l.not_before, '-infinity') - app.now()
  from app.lanes as l, known as k
  where l.owner_id = k.ana and l.type = 'text';
$$;
create function pg_temp.waiting(key text) returns jsonb language sql as $$
  select n -> 'waiting'
  from jsonb_path_query(
    job_tree((select run from known))::jsonb, '$.children[*] ? (@.key == $key)',
    jsonb_build_object('key', waiting.key)
  ) as n;
$$;
grant execute on function pg_temp.waiting(text) to public;
update known set run = tests.submit_steps(
  (
    select string_agg(format('{"key": "t%s", "type": "text"}', n), ', ')
    from generate_series(1, 6) as n
  ),
  'group', ana
);

-- Given a permanent failure that names a delay
update jobs set on_failure = 'continue' where type = 'text';
select tests.claim_steps(1);
select tests.hand_in_result(
  't1', '{"outcome": "failed", "is_permanent": true, "retry_in_ms": 5000, "day_ends_in_ms": 5000}'
);
select is(
  pg_temp.hold(), null, 'holds no lane for a permanent failure'
);

-- Given a provider that names a delay of ten hours
select is(tests.claim_steps(1), 't2', 'claims the next step after a permanent failure');
select tests.hand_in_result(
  't2',
  '{"outcome": "failed", "error": {"slug": "provider_busy", "message": "Later."},
    "retry_in_ms": 36000000}'
);
select is(pg_temp.hold(), '1 hour', 'holds the lane for lane_hold_max at most');
select tests.sign_in((select ana from known));
select is(
  pg_temp.waiting('t3') - 'until',
  '{"slug": "provider_delay", "message": "Later."}',
  'shows the owner why the steps of the lane wait'
);
reset role;
select tests.travel('61 minutes');
select is(tests.claim_steps(1), 't3', 'claims other steps of the lane after lane_hold_max');
select is(
  (select run_at - app.now() from app.job_queue as q join jobs as j on j.id = q.job_id
    where j.key = 't2'),
  '10 hours'::interval - '61 minutes',
  'lets the step itself wait as long as its provider asked'
);

-- Given a provider whose day is spent
select tests.hand_in_result(
  't3',
  '{"outcome": "failed", "error": {"slug": "day", "message": "Tomorrow."}, "retry_in_ms": 1000,
    "day_ends_in_ms": 50400000}'
);
select is(pg_temp.hold(), '14 hours', 'holds the lane until the day of the provider ends');
select is(
  (select concat_ws(' ', failures, delays) from app.job_queue as q join jobs as j on j.id = q.job_id
    where j.key = 't3'),
  '0 1',
  'counts a spent day as a delay and not as a failure'
);
select tests.sign_in((select ana from known));
select is(
  pg_temp.waiting('t3') ->> 'slug' || ' ' || (pg_temp.waiting('t4') ->> 'message'),
  'day_spent Tomorrow.',
  'shows each queued step of the lane that the day is spent'
);
select is(
  (pg_temp.waiting('t4') ->> 'until')::timestamptz - now() - interval '61 minutes',
  '14 hours',
  'shows until when the lane waits'
);
reset role;
select is(tests.claim_steps(), null, 'claims no step of the lane before the day ends');
select is(
  round((tests.last_answer() ->> 'wake_in_ms')::numeric / 3600000),
  14::numeric,
  'tells workers when the day ends'
);

-- When an operator releases the lane
select is(app.release_lane(ana, 'text'), true, 'says that the lane was held') from known;
select is(app.release_lane(ana, 'text'), false, 'says that the lane was not held') from known;
select is(
  tests.claim_steps(), 't3 t4 t5 t6',
  'claims each step of a released lane, also the one that failed'
);
select throws_ok(
  'select app.release_lane(null, ''text'')',
  'PT404',
  'This owner has no lane of this type.',
  'refuses to release a lane that does not exist'
);
select tests.become('service_role');
select throws_ok(
  'select app.release_lane(null, ''text'')', '42501', null, 'lets only operators release a lane'
);
reset role;

-- When the worker hands in a day that ends after more than 25 hours
select tests.hand_in_result(
  't3', '{"outcome": "failed", "error": {"slug": "day"}, "day_ends_in_ms": 900000000}'
);
select is(pg_temp.hold(), '25 hours', 'holds the lane for 25 hours at most');

-- When a shorter delay comes after the spent day
select tests.hand_in_result(
  't4', '{"outcome": "failed", "error": {"message": "Soon."}, "retry_in_ms": 5000}'
);
select is(
  (select concat_ws(' ', l.not_before - app.now(), l.hold_kind) from app.lanes as l, known as k
    where l.owner_id = k.ana),
  '1 day 01:00:00 day_spent',
  'keeps the longer hold with its reason'
);
select is(
  (select count(*)::integer from app.lanes where hold_kind is null and hold_reason is not null),
  0,
  'stores no reason without a hold'
);

select * from finish();
rollback;
