-- app.publish_template_upload
--
-- Called by   npm run upload-bundle, after it has written every object; as postgres
-- Writes      templates, template_versions, artifacts, prompts, template_uploads
-- Errors      PT409 template_upload_expired, and those of app.publish_template_files
-- Locks       the template, then the folder (advisory), then the upload's rows
create or replace function app.publish_template_upload(
  name text,
  version text,
  upload_id uuid,
  changelog text,
  status text,
  set_default boolean,
  created_by uuid
)
  returns json
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  return app.publish_template_files(
    publish_template_upload.name,
    publish_template_upload.version,
    app.read_template_upload(publish_template_upload.version, publish_template_upload.upload_id),
    publish_template_upload.changelog,
    publish_template_upload.status,
    publish_template_upload.set_default,
    publish_template_upload.created_by,
    publish_template_upload.upload_id
  );
end
$$;

comment on function app.publish_template_upload(text, text, uuid, text, text, boolean, uuid) is
$$Registers the version whose files app.reserve_template_upload announced, in one transaction.

Reads the files from the upload's rows, which were parsed and checked at the reservation. Returns
the same as public.publish_template_version.$$;
