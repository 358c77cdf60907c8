-- sidecar.drop_upload
--
-- Called by   the sidecar, when the object of an upload is not in the store
-- Writes      deletes from asset_uploads
-- Idempotent  dropping again changes nothing
create or replace function sidecar.drop_upload(asset_id uuid)
  returns void
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  delete from app.asset_uploads as u where u.id = drop_upload.asset_id;
end
$$;

comment on function sidecar.drop_upload(uuid) is
  'Deletes the row of an upload whose object is not in the store. Safe to repeat.';

grant execute on function sidecar.drop_upload(uuid) to sidecar;
