-- app.read_template_upload
--
-- Errors      PT409 template_upload_expired
create or replace function app.read_template_upload(version text, upload_id uuid)
  returns app.template_file[]
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_files app.template_file[];
begin
  select array_agg(
    (
      u.kind, u.role, u.locale, u.storage_path, u.sha256, u.size_bytes, u.content_type
    )::app.template_file
    order by u.storage_path
  )
  into v_files
  from app.template_uploads as u
  where u.upload_id = read_template_upload.upload_id
  -- Fewer rows than reserved: another upload or the sweep took some. Rows that an expired upload
  -- only announced, or that an earlier release reserved, have no file_count.
  having count(u.file_count) = max(u.file_count)
    and bool_and(split_part(u.storage_path, '/', 2) = 'v' || read_template_upload.version);

  if v_files is null then
    perform app.fail(
      409,
      'template_upload_expired',
      'This upload took too long, another upload replaced it, or an earlier release began it.',
      'Run upload-bundle again.'
    );
  end if;

  return v_files;
end
$$;

comment on function app.read_template_upload(text, uuid) is
  'Returns the files of an upload as they were reserved. Fails if one row of the upload is '
  'deleted, or if the upload is for another version.';
