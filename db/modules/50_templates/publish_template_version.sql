-- app.publish_template_version, public.publish_template_version
--
-- Called by   npm run upload-bundle; service_role
-- Writes      templates, template_versions, artifacts, prompts, template_uploads
-- Errors      PT409 template_upload_expired, and those of app.check_publication and app.set_default_version;
--             PT422 template_status_unknown
-- Idempotent  an identical published version stays as it is
-- Locks       the template, then the folder (advisory), then the upload's rows
create or replace function app.publish_template_version(
  name text,
  version text,
  artifacts jsonb,
  prompts jsonb,
  changelog text,
  status text,
  set_default boolean,
  created_by uuid,
  upload_id uuid
)
  returns json
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_template public.templates;
  v_is_published boolean;
  v_version_id uuid;
begin
  if coalesce(publish_template_version.status, '') not in ('draft', 'stable') then
    perform app.fail(422, 'template_status_unknown', 'A version is published as a draft or as stable.', 'Use stable.');
  end if;

  insert into public.templates (name)
  values (publish_template_version.name)
  on conflict on constraint templates_name_is_unique do nothing;
  v_template := app.lock_template(publish_template_version.name);
  perform app.lock_template_folder(publish_template_version.artifacts);
  v_is_published := app.check_publication(
    v_template.name,
    publish_template_version.version,
    publish_template_version.artifacts,
    publish_template_version.prompts,
    publish_template_version.created_by
  );

  if not v_is_published then
    perform app.require_template_upload(
      publish_template_version.version,
      publish_template_version.artifacts,
      publish_template_version.prompts,
      publish_template_version.upload_id
    );

    insert into public.template_versions as v (template_id, semver, created_by, changelog)
    values (
      v_template.id,
      publish_template_version.version,
      publish_template_version.created_by,
      publish_template_version.changelog
    )
    on conflict on constraint template_versions_semver_is_unique do update
    set created_by = excluded.created_by, changelog = excluded.changelog
    returning v.id into v_version_id;

    delete from public.artifacts as a where a.template_version_id = v_version_id;
    delete from public.prompts as p where p.template_version_id = v_version_id;
    insert into public.artifacts
      (template_version_id, kind, locale, storage_path, sha256, size_bytes, content_type)
    select v_version_id, f.kind, f.locale, f.storage_path, f.sha256, f.size_bytes, f.content_type
    from app.read_template_files(
      publish_template_version.version, publish_template_version.artifacts, publish_template_version.prompts
    ) as f
    where f.role is null;
    insert into public.prompts (template_version_id, role, locale, storage_path, sha256)
    select v_version_id, f.role, f.locale, f.storage_path, f.sha256
    from app.read_template_files(
      publish_template_version.version, publish_template_version.artifacts, publish_template_version.prompts
    ) as f
    where f.role is not null;

    -- They are the version's from now on. What a draft had and the version has not is left to be swept, by trigger.
    delete from app.template_uploads as u
    using app.read_template_files(
      publish_template_version.version, publish_template_version.artifacts, publish_template_version.prompts
    ) as f
    where u.storage_path = f.storage_path;

    if publish_template_version.status = 'stable' then
      update public.template_versions as v
      set status = 'stable'
      where v.id = v_version_id;
    end if;
  end if;

  if publish_template_version.set_default then
    perform app.set_default_version(publish_template_version.name, publish_template_version.version);
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
    where t.id = v_template.id and v.semver = publish_template_version.version
  );
end
$$;

comment on function app.publish_template_version(text, text, jsonb, jsonb, text, text, boolean, uuid, uuid) is
  'Registers a version whose files are in the bucket; see public.publish_template_version.';

create or replace function public.publish_template_version(
  name text,
  version text,
  artifacts jsonb,
  prompts jsonb default '[]',
  changelog text default null,
  status text default 'stable',
  set_default boolean default false,
  created_by uuid default null,
  upload_id uuid default null
)
  returns json
  language sql
  volatile
  set statement_timeout = '10s'
  set search_path = ''
return app.publish_template_version(
  name, version, artifacts, prompts, changelog, status, set_default, created_by, upload_id
);

comment on function public.publish_template_version(text, text, jsonb, jsonb, text, text, boolean, uuid, uuid) is
$$Registers a version of a template, whose files are in bucket template-artifacts already, in one transaction.

artifacts: [{ kind, locale, storage_path, sha256, size_bytes, content_type }], 1 to 100. prompts: [{ role, locale,
storage_path, sha256 }]. storage_path: <folder>/v<version>/<file>. status: stable, or draft, which may be published again
until it is stable. Of each kind and role there is one file for all languages (locale null), or one in each language that
the version has; a folder belongs to one template. created_by: the user who publishes. upload_id: from app.reserve_template_upload.
Returns { template, version, version_id, status, is_new, is_default }. Repeating it with the same files changes nothing.
409 template_version_taken: published with other files; storage_path_taken; template_upload_busy, template_upload_expired;
template_version_not_stable: a draft cannot be the default. 422 template_invalid, template_status_unknown. For service_role
only. Seed 001.$$;

grant execute on function app.publish_template_version(text, text, jsonb, jsonb, text, text, boolean, uuid, uuid)
  to service_role;
grant execute on function public.publish_template_version(text, text, jsonb, jsonb, text, text, boolean, uuid, uuid)
  to service_role;
