-- app.keep_asset
--
-- Writes      assets: an orphan becomes live again; asset_times.used_at
-- Locks       the asset, so that the cleaner skips it
create or replace function app.keep_asset(hash text)
  returns uuid
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_asset_id uuid;
begin
  select a.id into v_asset_id
  from public.assets as a
  where a.hash = keep_asset.hash and a.status <> 'deleting'
  for no key update;
  -- For null, Postgres would plan each update again.
  if not found then
    return null;
  end if;

  update public.assets as a
  set status = 'live'
  where a.id = v_asset_id and a.status = 'orphaned';

  update app.asset_times as t
  set used_at = app.now()
  where t.asset_id = v_asset_id;

  return v_asset_id;
end
$$;

comment on function app.keep_asset(text) is
$$Starts the grace period of an asset again and returns its id.

hash: the SHA-256 of the asset's bytes, in hex. Returns null if no asset has these bytes, or if the
worker is deleting the asset.$$;
