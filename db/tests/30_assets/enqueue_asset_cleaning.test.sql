begin;
select plan(4);

select is(app.enqueue_asset_cleaning() + app.enqueue_asset_cleaning(), 0, 'cleaning is enqueued, and there is nothing more to do');
select is(app.enqueue_asset_audit() + app.enqueue_asset_audit(), 0, 'and so is the look for unknown objects');
select set_eq(
  $$
    select j.key, j.payload::text
    from graphile_worker._private_jobs as j
    join graphile_worker._private_tasks as t on t.id = j.task_id
    where t.identifier = 'clean_orphaned_assets'
  $$,
  $$
    values
      ('clean_orphaned_assets orphans', '{"mode": "orphans", "limit": 10000}'),
      ('clean_orphaned_assets unknown_objects', '{"mode": "unknown_objects", "limit": 1000}')
  $$,
  'one job each, however often; nobody has it remove what is unknown'
);
select tests.become('anon');
select throws_ok('select app.enqueue_asset_cleaning()', '42501', null, 'a client cannot enqueue');

select * from finish();
rollback;
