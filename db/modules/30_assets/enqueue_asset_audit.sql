-- app.enqueue_asset_audit
--
-- Called by   schedule find-unknown-objects
-- Writes      the queue
-- Idempotent  one job, however often it is enqueued
create or replace function app.enqueue_asset_audit()
  returns integer
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  perform app.enqueue(
    'clean_orphaned_assets',
    '{"mode": "unknown_objects", "limit": 1000}',
    'clean_orphaned_assets unknown_objects'
  );

  return 0;
end
$$;

comment on function app.enqueue_asset_audit() is
$$Enqueues a worker task that searches the store for objects without a row.

The task logs up to 1,000 such objects and deletes none. Returns 0.$$;
