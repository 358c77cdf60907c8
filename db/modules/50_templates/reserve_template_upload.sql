-- app.reserve_template_upload
--
-- Called by   npm run upload-bundle, before it writes an object; as postgres
-- Writes      template_uploads
-- Errors      PT409 template_upload_busy, and those of app.check_publication
-- Locks       until the connection ends: publications to the same place (advisory); the folder
-- Why         the rows come before the objects, so that what a killed publication leaves is known
create or replace function app.reserve_template_upload(
  name text,
  version text,
  artifacts jsonb,
  prompts jsonb,
  created_by uuid default null
)
  returns uuid
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_place text := (
    select min(regexp_replace(f.storage_path, '[^/]*$', ''))
    from app.read_template_files(
      reserve_template_upload.version, reserve_template_upload.artifacts, reserve_template_upload.prompts
    ) as f
  );
  v_upload_id uuid := gen_random_uuid();
begin
  perform app.require_read_committed();

  -- Goes with the connection, and so with the process, however that ends.
  if not pg_try_advisory_lock(hashtextextended('publish to ' || v_place, 0)) then
    perform app.fail(
      409, 'template_upload_busy', 'This version is being published at the moment.', 'Try again when that is over.'
    );
  end if;

  perform app.lock_template_folder(reserve_template_upload.artifacts);
  if app.check_publication(
    reserve_template_upload.name,
    reserve_template_upload.version,
    reserve_template_upload.artifacts,
    reserve_template_upload.prompts,
    reserve_template_upload.created_by
  ) then
    return null;
  end if;

  -- Of a publisher whose connection is gone a last object may be on its way; the same bytes do no harm.
  if exists (
    select
    from app.template_uploads as u
    join app.read_template_files(
      reserve_template_upload.version, reserve_template_upload.artifacts, reserve_template_upload.prompts
    ) as f on f.storage_path = u.storage_path
    where u.sha256 <> f.sha256 and u.started_at > app.now() - interval '1 minute'
  ) then
    perform app.fail(
      409,
      'template_upload_busy',
      'Other files of this version were being uploaded a moment ago.',
      'Try again in a minute.'
    );
  end if;

  insert into app.template_uploads as u (storage_path, upload_id, sha256, started_at)
  select f.storage_path, v_upload_id, f.sha256, app.now()
  from app.read_template_files(
    reserve_template_upload.version, reserve_template_upload.artifacts, reserve_template_upload.prompts
  ) as f
  order by f.storage_path
  on conflict on constraint template_uploads_pkey do update
  set upload_id = excluded.upload_id, sha256 = excluded.sha256, started_at = excluded.started_at
  where u.claimed_at is null;

  -- A delete that is under way must not meet a new object.
  if exists (
    select
    from app.template_uploads as u
    join app.read_template_files(
      reserve_template_upload.version, reserve_template_upload.artifacts, reserve_template_upload.prompts
    ) as f on f.storage_path = u.storage_path
    where u.claimed_at is not null
  ) then
    perform app.fail(
      409,
      'template_upload_busy',
      'What an earlier publication of this version has left is being deleted.',
      'Try again in some minutes.'
    );
  end if;

  return v_upload_id;
end
$$;

comment on function app.reserve_template_upload(text, text, jsonb, jsonb, uuid) is
  'Announces the objects of a version that are about to be written, and returns the id of this upload, for '
  'publish_template_version; null: the same is published already, and there is nothing to write.';

-- app.renew_template_upload
--
-- Called by   npm run upload-bundle, before each object, and when it gives up; as postgres
-- Writes      template_uploads
create or replace function app.renew_template_upload(version text, artifacts jsonb, prompts jsonb, upload_id uuid)
  returns boolean
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_renewed integer;
begin
  update app.template_uploads as u
  set started_at = app.now()
  where u.upload_id = renew_template_upload.upload_id and u.claimed_at is null;
  get diagnostics v_renewed = row_count;
  if v_renewed = jsonb_array_length(renew_template_upload.artifacts || renew_template_upload.prompts) then
    return true;
  end if;

  -- It was given up, and swept perhaps; what was written since must be known, too.
  insert into app.template_uploads as u (storage_path, upload_id, sha256, started_at)
  select f.storage_path, renew_template_upload.upload_id, f.sha256, app.now()
  from app.read_template_files(
    renew_template_upload.version, renew_template_upload.artifacts, renew_template_upload.prompts
  ) as f
  order by f.storage_path
  on conflict on constraint template_uploads_pkey do update
  set started_at = excluded.started_at
  where u.claimed_at is not null;

  return false;
end
$$;

comment on function app.renew_template_upload(text, jsonb, jsonb, uuid) is
  'Says that an upload goes on; false: it was given up, another one came, and nothing more may be written.';
