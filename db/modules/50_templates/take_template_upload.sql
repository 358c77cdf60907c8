-- app.take_template_upload
--
-- Called by   app.publish_template_version
-- Writes      template_uploads: what is published is no upload any more
-- Errors      PT409 template_upload_expired, template_upload_busy
-- Locks       the rows of these objects, by path
create or replace function app.take_template_upload(version text, artifacts jsonb, prompts jsonb, upload_id uuid)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_paths text[] := array(
    select f.storage_path
    from app.read_template_files(
      take_template_upload.version, take_template_upload.artifacts, take_template_upload.prompts
    ) as f
  );
begin
  perform
  from app.template_uploads as u
  where u.storage_path = any (v_paths)
  order by u.storage_path
  for update;

  if exists (
    select from app.template_uploads as u where u.storage_path = any (v_paths) and u.claimed_at is not null
  ) then
    perform app.fail(
      409, 'template_upload_busy', 'Objects of this version are being deleted.', 'Upload them again in some minutes.'
    );
  end if;

  if take_template_upload.upload_id is not null and exists (
    select
    from unnest(v_paths) as p (path)
    where not exists (
      select
      from app.template_uploads as u
      where u.storage_path = p.path and u.upload_id = take_template_upload.upload_id
    )
  ) then
    perform app.fail(
      409, 'template_upload_expired', 'This upload took too long, or another one came after it.', 'Upload again.'
    );
  end if;

  delete from app.template_uploads as u
  where u.storage_path = any (v_paths);
end
$$;

comment on function app.take_template_upload(text, jsonb, jsonb, uuid) is
  'Ends the upload of a version, whose objects are the version''s from now on; refuses one that was given up.';

revoke execute on function app.take_template_upload(text, jsonb, jsonb, uuid) from public;
