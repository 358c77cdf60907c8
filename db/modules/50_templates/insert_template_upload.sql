-- app.insert_template_upload
--
-- Writes      template_uploads
-- Errors      PT409 template_upload_busy
-- Locks       the caller holds the folder; the rows of these objects, by path
create or replace function app.insert_template_upload(files app.template_file[])
  returns uuid
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_upload_id uuid := gen_random_uuid();
begin
  -- A publisher that has lost its connection may still be writing one last object. The same bytes
  -- do no harm.
  if exists (
    select
    from app.template_uploads as u
    join unnest(insert_template_upload.files) as f on f.storage_path = u.storage_path
    where u.sha256 <> f.sha256 and u.started_at > app.now() - interval '1 minute'
  ) then
    perform app.fail(
      409,
      'template_upload_busy',
      'Other files of this version were being uploaded less than a minute ago.',
      'Try again in a minute.'
    );
  end if;

  insert into app.template_uploads as u (
    storage_path,
    upload_id,
    sha256,
    started_at,
    kind,
    role,
    locale,
    size_bytes,
    content_type,
    file_count
  )
  select
    f.storage_path,
    v_upload_id,
    f.sha256,
    app.now(),
    f.kind,
    f.role,
    f.locale,
    f.size_bytes,
    f.content_type,
    cardinality(insert_template_upload.files)
  from unnest(insert_template_upload.files) as f
  order by f.storage_path
  on conflict on constraint template_uploads_pkey do update
  set
    upload_id = excluded.upload_id,
    sha256 = excluded.sha256,
    started_at = excluded.started_at,
    kind = excluded.kind,
    role = excluded.role,
    locale = excluded.locale,
    size_bytes = excluded.size_bytes,
    content_type = excluded.content_type,
    file_count = excluded.file_count
  where u.claimed_at is null;

  -- Rows that the worker has claimed were not updated: its delete could remove a new object.
  if exists (
    select
    from app.template_uploads as u
    join unnest(insert_template_upload.files) as f on f.storage_path = u.storage_path
    where u.claimed_at is not null
  ) then
    perform app.fail(
      409,
      'template_upload_busy',
      'The worker is deleting objects of an earlier upload of this version.',
      'Try again in ten minutes.'
    );
  end if;

  return v_upload_id;
end
$$;

comment on function app.insert_template_upload(app.template_file[]) is
  'Inserts the rows of a new upload, replacing those of an earlier one, and returns its id.';
