-- app.lock_template_upload
--
-- Errors      PT409 template_upload_expired, template_upload_busy
-- Locks       the rows of these objects in template_uploads, by path
create or replace function app.lock_template_upload(files app.template_file[], upload_id uuid)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_paths text[] := array(select f.storage_path from unnest(lock_template_upload.files) as f);
begin
  perform
  from app.template_uploads as u
  where u.storage_path = any (v_paths)
  order by u.storage_path
  for update;

  if exists (
    select
    from app.template_uploads as u
    where u.storage_path = any (v_paths) and u.claimed_at is not null
  ) then
    perform app.fail(
      409,
      'template_upload_busy',
      'The worker is deleting objects of an earlier upload of this version.',
      'Upload the files again in ten minutes.'
    );
  end if;

  -- A caller without an upload id asserts that the objects exist; an upload under way could still
  -- overwrite them.
  if lock_template_upload.upload_id is null and exists (
    select
    from app.template_uploads as u
    where u.storage_path = any (v_paths) and u.started_at > app.now() - interval '1 hour'
  ) then
    perform app.fail(
      409,
      'template_upload_busy',
      'Objects of this version are being uploaded.',
      'Try again when the upload has ended, or one hour after its start.'
    );
  end if;

  if lock_template_upload.upload_id is not null and exists (
    select
    from unnest(v_paths) as p (path)
    where not exists (
      select
      from app.template_uploads as u
      where u.storage_path = p.path and u.upload_id = lock_template_upload.upload_id
    )
  ) then
    perform app.fail(
      409,
      'template_upload_expired',
      'This upload took too long, or another upload replaced it.',
      'Upload the files again.'
    );
  end if;
end
$$;

comment on function app.lock_template_upload(app.template_file[], uuid) is
$$Locks the upload rows of these objects until commit.

Fails if the worker is deleting one of the objects, if another upload is writing them, or if this
upload has expired. upload_id null: the caller has uploaded the objects without a reservation.$$;
