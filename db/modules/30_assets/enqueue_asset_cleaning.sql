-- app.enqueue_asset_cleaning, app.enqueue_asset_audit
--
-- Called by   schedules clean-orphaned-assets, find-unknown-objects
-- Writes      the queue: one job, however often it is asked for
create or replace function app.enqueue_asset_cleaning()
  returns integer
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  perform app.enqueue('clean_orphaned_assets', '{"mode": "orphans", "limit": 10000}', 'clean_orphaned_assets orphans');

  return 0;
end
$$;

comment on function app.enqueue_asset_cleaning() is 'Has a worker delete assets that nothing shows; 10,000 at most.';

create or replace function app.enqueue_asset_audit()
  returns integer
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  perform app.enqueue(
    'clean_orphaned_assets', '{"mode": "unknown_objects", "limit": 1000}', 'clean_orphaned_assets unknown_objects'
  );

  return 0;
end
$$;

comment on function app.enqueue_asset_audit() is
  'Has a worker look for objects in the store that no asset names, and log up to 1,000 of them.';
