-- app.publish_template_files
--
-- Writes      templates, template_versions, artifacts, prompts, template_uploads, template_channels
-- Errors      PT422 template_status_unknown, and those of app.require_publishable,
--             app.lock_template_upload and app.set_default_version
-- Idempotent  an identical published version stays as it is
-- Locks       the template, then the folder (advisory), then the upload's rows
create or replace function app.publish_template_files(
  name text,
  version text,
  files app.template_file[],
  changelog text,
  status text,
  set_default boolean,
  created_by uuid,
  upload_id uuid
)
  returns json
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_template public.templates;
  v_is_published boolean;
begin
  if coalesce(publish_template_files.status, '') not in ('draft', 'stable') then
    perform app.fail(
      422,
      'template_status_unknown',
      format('Unknown status "%s".', left(publish_template_files.status, 100)),
      'Use draft or stable.'
    );
  end if;

  insert into public.templates (name)
  values (publish_template_files.name)
  on conflict on constraint templates_name_is_unique do nothing;
  v_template := app.lock_template(publish_template_files.name);
  perform app.lock_template_folder(publish_template_files.files);
  perform app.require_publishable(
    v_template.name,
    publish_template_files.version,
    publish_template_files.files,
    publish_template_files.created_by
  );

  v_is_published := app.is_published(v_template.name, publish_template_files.version);
  if not v_is_published then
    perform app.lock_template_upload(
      publish_template_files.files, publish_template_files.upload_id
    );
    perform app.insert_template_version(
      v_template.id,
      publish_template_files.version,
      publish_template_files.files,
      publish_template_files.changelog,
      publish_template_files.status,
      publish_template_files.created_by
    );
  end if;

  if publish_template_files.set_default then
    perform app.set_default_version(v_template.name, publish_template_files.version);
  end if;

  return (
    select json_build_object(
      'template', t.name,
      'version', v.semver,
      'version_id', v.id,
      'status', v.status,
      'is_new', not v_is_published,
      'is_default', coalesce(t.default_version_id = v.id, false)
    )
    from public.templates as t
    join public.template_versions as v on v.template_id = t.id
    where t.id = v_template.id and v.semver = publish_template_files.version
  );
end
$$;

comment on function app.publish_template_files(
  text, text, app.template_file[], text, text, boolean, uuid, uuid
) is
  'Registers a version from parsed and checked files, which come from JSON or from the rows of an '
  'upload.';
