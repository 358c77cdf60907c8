begin;
select plan(3);

select is(
  app.enqueue_asset_cleaning() + app.enqueue_asset_cleaning(), 0,
  'returns 0, because nothing is left for the schedule to do'
);
select results_eq(
  $$
    select j.key, j.payload::text
    from graphile_worker._private_jobs as j
    join graphile_worker._private_tasks as t on t.id = j.task_id
    where t.identifier = 'clean_orphaned_assets'
  $$,
  $$ values ('clean_orphaned_assets orphans', '{"mode": "orphans", "limit": 10000}') $$,
  'enqueues one job, however often it is called'
);
select tests.become('anon');
select throws_ok(
  'select app.enqueue_asset_cleaning()', '42501', null, 'anon cannot enqueue the cleaning'
);

select * from finish();
rollback;
