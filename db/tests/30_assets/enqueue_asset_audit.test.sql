begin;
select plan(3);

select is(
  app.enqueue_asset_audit() + app.enqueue_asset_audit(), 0,
  'returns 0, because nothing is left for the schedule to do'
);
select results_eq(
  $$
    select j.key, j.payload::text
    from graphile_worker._private_jobs as j
    join graphile_worker._private_tasks as t on t.id = j.task_id
    where t.identifier = 'clean_orphaned_assets'
  $$,
  $$
    values (
      'clean_orphaned_assets unknown_objects', '{"mode": "unknown_objects", "limit": 1000}'
    )
  $$,
  'enqueues one job, however often it is called, which removes no object'
);
select tests.become('anon');
select throws_ok(
  'select app.enqueue_asset_audit()', '42501', null, 'anon cannot enqueue the audit'
);

select * from finish();
rollback;
