-- app.enqueue_asset_cleaning
--
-- Called by   schedule clean-orphaned-assets
-- Writes      the queue
-- Idempotent  one job, however often it is enqueued
-- Why         one address can upload 72,000 files an hour, so a cleaner with a fixed number of
--             files would never finish
create or replace function app.enqueue_asset_cleaning()
  returns integer
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_before timestamptz := app.now() - (select s.asset_grace from app.settings as s);
  v_due bigint;
begin
  select
    (select count(*) from app.asset_times as t where t.status = 'live' and t.used_at < v_before)
    + (select count(*) from app.asset_times as t where t.status <> 'live')
    + (select count(*) from app.asset_uploads as u where u.started_at < v_before)
  into v_due;

  perform app.enqueue(
    'clean_orphaned_assets',
    jsonb_build_object('mode', 'orphans', 'limit', least(greatest(v_due, 10000), 1000000)),
    'clean_orphaned_assets orphans'
  );

  return 0;
end
$$;

comment on function app.enqueue_asset_cleaning() is
$$Enqueues a worker task that deletes the assets that no row shows. Returns 0.

The task deletes as many as are due, at least 10,000 and at most 1,000,000.$$;
