-- app.enqueue_asset_cleaning
--
-- Called by   schedule clean-orphaned-assets
-- Writes      the queue
-- Idempotent  one job, however often it is enqueued
create or replace function app.enqueue_asset_cleaning()
  returns integer
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  perform app.enqueue(
    'clean_orphaned_assets',
    '{"mode": "orphans", "limit": 10000}',
    'clean_orphaned_assets orphans'
  );

  return 0;
end
$$;

comment on function app.enqueue_asset_cleaning() is
  'Enqueues a worker task that deletes up to 10,000 assets that no row shows. Returns 0.';
