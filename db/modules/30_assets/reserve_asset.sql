-- sidecar.reserve_asset
--
-- Called by   sidecars of the release before sidecar.reserve_upload
-- Writes      as sidecar.reserve_upload
-- Errors      as sidecar.reserve_upload
-- Why         during an upgrade the old sidecar still runs; the next release drops this function
create or replace function sidecar.reserve_asset(
  name text,
  hash text,
  size_byte bigint,
  mime_type text
)
  returns table (asset_id uuid, object_key text)
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  return query
  select r.id, r.object_key
  from sidecar.reserve_upload(
    null, 1, reserve_asset.hash, reserve_asset.size_byte, reserve_asset.size_byte,
    reserve_asset.mime_type, null
  ) as r;
end
$$;

comment on function sidecar.reserve_asset(text, text, bigint, text) is
$$Deprecated: call sidecar.reserve_upload. Checks a file and returns the key under which to store
it.

name: ignored. object_key is null if an asset has the same bytes.$$;

grant execute on function sidecar.reserve_asset(text, text, bigint, text) to sidecar;
