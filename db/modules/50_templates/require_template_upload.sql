-- app.require_template_upload
--
-- Errors      PT409 template_upload_expired, template_upload_busy
-- Locks       the rows of these objects, by path
create or replace function app.require_template_upload(version text, artifacts jsonb, prompts jsonb, upload_id uuid)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_paths text[] := array(
    select f.storage_path
    from app.read_template_files(
      require_template_upload.version, require_template_upload.artifacts, require_template_upload.prompts
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

  -- Who publishes without an upload knows that the objects are there: not while somebody writes them.
  if require_template_upload.upload_id is null and exists (
    select
    from app.template_uploads as u
    where u.storage_path = any (v_paths) and u.started_at > app.now() - interval '1 hour'
  ) then
    perform app.fail(
      409, 'template_upload_busy', 'Objects of this version are being uploaded.', 'Try again in an hour at most.'
    );
  end if;

  if require_template_upload.upload_id is not null and exists (
    select
    from unnest(v_paths) as p (path)
    where not exists (
      select
      from app.template_uploads as u
      where u.storage_path = p.path and u.upload_id = require_template_upload.upload_id
    )
  ) then
    perform app.fail(
      409, 'template_upload_expired', 'This upload took too long, or another one came after it.', 'Upload again.'
    );
  end if;
end
$$;

comment on function app.require_template_upload(text, jsonb, jsonb, uuid) is
  'Refuses to publish objects that are being deleted, that somebody else uploads, or whose upload was given up.';
