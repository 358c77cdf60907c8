-- sidecar.record_asset
--
-- Called by   sidecars of the release before sidecar.record_upload
-- Writes      as sidecar.record_upload
-- Errors      PT409 upload_expired
-- Why         during an upgrade the old sidecar still runs; the next release drops this function
create or replace function sidecar.record_asset(asset_id uuid, file_path text)
  returns uuid
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  return (
    select r.id from sidecar.record_upload(record_asset.asset_id, record_asset.file_path) as r
  );
end
$$;

comment on function sidecar.record_asset(uuid, text) is
  'Deprecated: call sidecar.record_upload. Turns an upload into an asset and returns its id.';

grant execute on function sidecar.record_asset(uuid, text) to sidecar;
