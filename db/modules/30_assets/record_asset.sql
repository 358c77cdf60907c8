-- sidecar.record_asset
--
-- Called by   the sidecar, when the object is in the store
-- Writes      assets, asset_uploads
-- Errors      PT409 upload_expired
-- Idempotent  a repeated call returns the same asset
-- Locks       the upload, then the asset with the same bytes
create or replace function sidecar.record_asset(asset_id uuid, file_path text)
  returns uuid
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_upload app.asset_uploads;
  v_asset_id uuid;
begin
  select * into v_upload
  from app.asset_uploads as u
  where u.id = record_asset.asset_id and u.claimed_at is null
  for update;
  if not found then
    select a.id into v_asset_id
    from public.assets as a
    where a.id = record_asset.asset_id and a.status <> 'deleting';
    if not found then
      perform app.fail(
        409, 'upload_expired', 'The upload took too long and has expired.', 'Upload the file again.'
      );
    end if;
    return v_asset_id;
  end if;

  -- Another upload of the same bytes may be recorded first, and its asset may be claimed for
  -- deletion between the two statements; then the insert succeeds in the next round.
  loop
    insert into public.assets (
      id, name, hash, size_byte, mime_type, file_path, object_key, used_at
    )
    values (
      v_upload.id, v_upload.name, v_upload.hash, v_upload.size_byte, v_upload.mime_type,
      record_asset.file_path, v_upload.object_key, app.now()
    )
    on conflict (hash) where status <> 'deleting' do nothing;
    if found then
      v_asset_id := v_upload.id;
      delete from app.asset_uploads as u where u.id = v_upload.id;
    else
      v_asset_id := app.keep_asset(v_upload.hash);
    end if;
    exit when v_asset_id is not null;
  end loop;

  return v_asset_id;
end
$$;

comment on function sidecar.record_asset(uuid, text) is
$$Turns an upload into an asset and returns the id of the asset.

asset_id: from reserve_asset. file_path: the URL of the object. If another id is returned, another
upload of the same bytes came first: delete this upload's object and call drop_upload.
409 upload_expired: the upload took too long, and the worker deletes its object. Safe to repeat.$$;

grant execute on function sidecar.record_asset(uuid, text) to sidecar;
