-- app.keep_asset
--
-- Writes      assets: used_at; an orphan becomes live again
create or replace function app.keep_asset(hash text)
  returns uuid
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_asset_id uuid;
begin
  update public.assets as a
  set
    used_at = app.now(),
    status = 'live',
    status_at = case a.status when 'live' then a.status_at else app.now() end
  where a.hash = keep_asset.hash and a.status <> 'deleting'
  returning a.id into v_asset_id;

  return v_asset_id;
end
$$;

comment on function app.keep_asset(text) is
$$Starts the grace period of an asset again and returns its id.

hash: the SHA-256 of the asset's bytes, in hex. Returns null if no asset has these bytes, or if the
worker is deleting the asset.$$;
