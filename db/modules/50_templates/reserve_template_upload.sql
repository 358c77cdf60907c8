-- app.reserve_template_upload
--
-- Called by   npm run upload-bundle, before it writes the first object; as postgres
-- Writes      template_uploads
-- Errors      PT409 template_upload_busy, PT422 template_invalid, and those of
--             app.require_publishable
-- Locks       folder and version, until the connection ends (advisory); the folder, until commit
--             (advisory)
-- Why         the rows are committed before the first object exists, so the sweep knows the objects
--             of a killed publisher
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
  v_files app.template_file[] := app.parse_template_files(
    reserve_template_upload.version,
    reserve_template_upload.artifacts,
    reserve_template_upload.prompts
  );
  v_place text := regexp_replace(v_files[1].storage_path, '[^/]*$', '');
begin
  perform app.require_read_committed();

  -- A session lock: Postgres releases it when the publisher's process or connection ends, however
  -- that happens.
  if not pg_try_advisory_lock(hashtextextended('publish to ' || v_place, 0)) then
    perform app.fail(
      409,
      'template_upload_busy',
      'Another connection is publishing this version.',
      'Try again when that publication has ended.'
    );
  end if;

  perform app.lock_template_folder(v_files);
  perform app.require_publishable(
    reserve_template_upload.name,
    reserve_template_upload.version,
    v_files,
    reserve_template_upload.created_by
  );
  if app.is_published(reserve_template_upload.name, reserve_template_upload.version) then
    return null;
  end if;

  return app.insert_template_upload(v_files);
end
$$;

comment on function app.reserve_template_upload(text, text, jsonb, jsonb, uuid) is
$$Announces the objects of a version before they are written.

Returns the id of the upload for publish_template_upload. Null: the version is already published
with the same files. The reservation lasts for an hour; renew_template_upload renews it.$$;
