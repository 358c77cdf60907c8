-- app.require_publishable
--
-- Errors      PT409 template_version_taken, template_version_not_stable, storage_path_taken, PT422
--             template_invalid
-- Why         storage paths contain the version. If a folder belongs to one template, an object
--             belongs to one version, and no publication overwrites an object of another version.
create or replace function app.require_publishable(
  name text,
  version text,
  files app.template_file[],
  created_by uuid,
  set_default boolean default false
)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_template public.templates;
  v_version public.template_versions;
  v_owner text;
begin
  if require_publishable.created_by is not null
    and not exists (select from public.users as u where u.id = require_publishable.created_by)
  then
    perform app.fail(
      422,
      'template_invalid',
      'created_by is not the id of a user.',
      'Send the id of a user, or leave it out.'
    );
  end if;

  select t.* into v_template from public.templates as t where t.name = require_publishable.name;
  select v.* into v_version
  from public.template_versions as v
  where v.template_id = v_template.id and v.semver = require_publishable.version;

  if v_version.status <> 'draft' then
    if not app.has_template_files(v_version.id, require_publishable.files) then
      perform app.fail(
        409,
        'template_version_taken',
        format('Version %s is already published with other files.', require_publishable.version),
        'Publish these files as a new version.'
      );
    end if;
    if require_publishable.set_default then
      perform app.require_stable_version(v_template, require_publishable.version);
    end if;
    return;
  end if;

  select t.name into v_owner
  from public.artifacts as a
  join public.template_versions as v on v.id = a.template_version_id
  join public.templates as t on t.id = v.template_id
  where t.name <> require_publishable.name
    and split_part(a.storage_path, '/', 1)
      = split_part(require_publishable.files[1].storage_path, '/', 1)
  limit 1;
  if found then
    perform app.fail(
      409,
      'storage_path_taken',
      format('The folder of these files belongs to template "%s".', v_owner),
      'Use another folder for this template.'
    );
  end if;
end
$$;

comment on function app.require_publishable(text, text, app.template_file[], uuid, boolean) is
  'Fails if these files contradict a published version or lie in the folder of another template. '
  'set_default: also fails if the published version cannot become the default version.';
