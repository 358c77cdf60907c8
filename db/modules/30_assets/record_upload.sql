-- sidecar.record_upload
--
-- Called by   the sidecar, when the object is in the store
-- Writes      assets, asset_times, asset_uploads, asset_bytes
-- Errors      PT409 upload_expired
-- Idempotent  a repeated call returns the same asset
-- Locks       the upload, then the asset with the same bytes
create or replace function sidecar.record_upload(upload_id uuid, file_path text)
  returns table (id uuid, url text)
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_upload app.asset_uploads;
begin
  select * into v_upload
  from app.asset_uploads as u
  where u.id = record_upload.upload_id and u.claimed_at is null
  for update;
  if not found then
    select a.id, a.file_path into id, url
    from public.assets as a
    where a.id = record_upload.upload_id and a.status <> 'deleting';
    if not found then
      perform app.fail(
        409, 'upload_expired', 'The upload took too long and has expired.', 'Upload the file again.'
      );
    end if;
    return next;
    return;
  end if;

  -- Another upload of the same bytes may be recorded first, and its asset may be claimed for
  -- deletion between the two statements; then the insert succeeds in the next round.
  loop
    insert into public.assets (id, name, hash, size_byte, mime_type, file_path, object_key)
    values (
      v_upload.id, v_upload.name, v_upload.hash, v_upload.size_byte, v_upload.mime_type,
      record_upload.file_path, v_upload.object_key
    )
    on conflict (hash) where status <> 'deleting' do nothing;
    if found then
      id := v_upload.id;
      delete from app.asset_uploads as u where u.id = v_upload.id;
    else
      id := app.keep_asset(v_upload.hash);
    end if;
    exit when id is not null;
  end loop;
  url := app.asset_url(id);

  return next;
end
$$;

comment on function sidecar.record_upload(uuid, text) is
$$Turns an upload into an asset, and returns the asset's id and URL.

upload_id: the id from reserve_upload. file_path: the URL of the object. If another id is returned,
another upload of the same bytes came first: delete this upload's object and call drop_upload.
409 upload_expired: the upload took too long, and the worker deletes its object. Safe to repeat.$$;

grant execute on function sidecar.record_upload(uuid, text) to sidecar;
