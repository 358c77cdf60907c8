begin;
select plan(4);
create temporary view cleanings as
select j.key, j.payload::jsonb
from graphile_worker._private_jobs as j
join graphile_worker._private_tasks as t on t.id = j.task_id
where t.identifier = 'clean_orphaned_assets';

select is(
  app.enqueue_asset_cleaning() + app.enqueue_asset_cleaning(), 0,
  'returns 0, because nothing is left for the schedule to do'
);
select results_eq(
  'select * from cleanings',
  $$ values ('clean_orphaned_assets orphans', '{"mode": "orphans", "limit": 10000}'::jsonb) $$,
  'enqueues one job, however often it is called'
);

-- When more is due than the usual limit
select tests.create_asset(gen_random_uuid()) from generate_series(1, 10050);
update public.assets set status = 'orphaned' where id < '80000000-0000-4000-8000-000000000000';
select tests.travel('3 hours');
select app.enqueue_asset_cleaning();
select results_eq(
  $$ select payload ->> 'limit' from cleanings $$, array['10050'], 'the limit follows the load'
);

select tests.become('anon');
select throws_ok(
  'select app.enqueue_asset_cleaning()', '42501', null, 'anon cannot enqueue the cleaning'
);

select * from finish();
rollback;
