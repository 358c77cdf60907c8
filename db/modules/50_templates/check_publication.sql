-- app.check_publication
--
-- Called by   app.reserve_template_upload, app.publish_template_version; npm run upload-bundle -- --dry-run
-- Errors      PT409 template_version_taken, template_version_not_stable, storage_path_taken, PT422 template_invalid
create or replace function app.check_publication(
  name text,
  version text,
  artifacts jsonb,
  prompts jsonb,
  created_by uuid default null,
  set_default boolean default false
)
  returns boolean
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_version public.template_versions;
  v_owner text;
  v_is_same boolean;
begin
  if check_publication.created_by is not null
    and not exists (select from public.users as u where u.id = check_publication.created_by)
  then
    perform app.fail(
      422, 'template_invalid', 'created_by is nobody''s id.', 'Send the id of a user, or leave it out.'
    );
  end if;

  select v.* into v_version
  from public.templates as t
  join public.template_versions as v on v.template_id = t.id
  where t.name = check_publication.name and v.semver = check_publication.version;

  with given as (
    select f.kind, f.role, f.locale, f.storage_path, f.sha256, f.size_bytes, f.content_type
    from app.read_template_files(
      check_publication.version, check_publication.artifacts, check_publication.prompts
    ) as f
  ),
  stored as (
    select a.kind, null::text as role, a.locale, a.storage_path, a.sha256, a.size_bytes, a.content_type
    from public.artifacts as a
    where a.template_version_id = v_version.id
    union all
    select null, p.role, p.locale, p.storage_path, p.sha256, null, null
    from public.prompts as p
    where p.template_version_id = v_version.id
  )
  select not exists (
    (
      select g.kind, g.role, g.locale, g.storage_path, g.sha256, g.size_bytes, g.content_type from given as g
      except all
      select s.kind, s.role, s.locale, s.storage_path, s.sha256, s.size_bytes, s.content_type from stored as s
    )
    union all
    (
      select s.kind, s.role, s.locale, s.storage_path, s.sha256, s.size_bytes, s.content_type from stored as s
      except all
      select g.kind, g.role, g.locale, g.storage_path, g.sha256, g.size_bytes, g.content_type from given as g
    )
  ) into v_is_same;

  if v_version.status <> 'draft' then
    if not v_is_same then
      perform app.fail(
        409,
        'template_version_taken',
        format('Version %s is published, with other files.', check_publication.version),
        'Publish these under another version.'
      );
    end if;
    if check_publication.set_default then
      perform app.require_stable_version(t, check_publication.version)
      from public.templates as t
      where t.id = v_version.template_id;
    end if;
    return true;
  end if;

  -- With the version in the path, an object then belongs to one version: whoever wrote it again would change another.
  select t.name into v_owner
  from public.artifacts as a
  join public.template_versions as v on v.id = a.template_version_id
  join public.templates as t on t.id = v.template_id
  where t.name <> check_publication.name
    and split_part(a.storage_path, '/', 1) = split_part(check_publication.artifacts -> 0 ->> 'storage_path', '/', 1)
  limit 1;
  if found then
    perform app.fail(
      409,
      'storage_path_taken',
      format('The folder of these files belongs to template "%s".', v_owner),
      'Take another folder for this template.'
    );
  end if;

  return false;
end
$$;

comment on function app.check_publication(text, text, jsonb, jsonb, uuid, boolean) is
  'Whether this version is published already, with the same files; refuses what contradicts what is published. set_default: it '
  'must be one that can be the default version, too.';
