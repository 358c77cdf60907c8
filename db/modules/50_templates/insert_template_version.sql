-- app.insert_template_version
--
-- Writes      template_versions, artifacts, prompts, template_uploads
-- Locks       the caller holds the template, its folder and the upload's rows
create or replace function app.insert_template_version(
  template_id uuid,
  version text,
  files app.template_file[],
  changelog text,
  status text,
  created_by uuid
)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_version_id uuid;
begin
  insert into public.template_versions as v (template_id, semver, created_by, changelog)
  values (
    insert_template_version.template_id,
    insert_template_version.version,
    insert_template_version.created_by,
    insert_template_version.changelog
  )
  on conflict on constraint template_versions_semver_is_unique do update
  set created_by = excluded.created_by, changelog = excluded.changelog
  returning v.id into v_version_id;

  delete from public.artifacts as a where a.template_version_id = v_version_id;
  delete from public.prompts as p where p.template_version_id = v_version_id;
  insert into public.artifacts
    (template_version_id, kind, locale, storage_path, sha256, size_bytes, content_type)
  select v_version_id, f.kind, f.locale, f.storage_path, f.sha256, f.size_bytes, f.content_type
  from unnest(insert_template_version.files) as f
  where f.role is null;
  insert into public.prompts (template_version_id, role, locale, storage_path, sha256)
  select v_version_id, f.role, f.locale, f.storage_path, f.sha256
  from unnest(insert_template_version.files) as f
  where f.role is not null;

  -- The version owns these objects now. Objects that only the draft had stay in template_uploads,
  -- by trigger, and are swept.
  delete from app.template_uploads as u
  using unnest(insert_template_version.files) as f
  where u.storage_path = f.storage_path;

  if insert_template_version.status = 'stable' then
    update public.template_versions as v
    set status = 'stable'
    where v.id = v_version_id;
  end if;
end
$$;

comment on function app.insert_template_version(uuid, text, app.template_file[], text, text, uuid)
is
  'Inserts a version with its files, or replaces the files of a draft, and gives it its status.';
