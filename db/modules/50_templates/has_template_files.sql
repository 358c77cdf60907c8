-- app.has_template_files
create or replace function app.has_template_files(version_id uuid, files app.template_file[])
  returns boolean
  language sql
  stable
  set search_path = ''
begin atomic
  with stored as (
    select a.kind, null as role, a.locale, a.storage_path, a.sha256, a.size_bytes, a.content_type
    from public.artifacts as a
    where a.template_version_id = has_template_files.version_id
    union all
    select null, p.role, p.locale, p.storage_path, p.sha256, null, null
    from public.prompts as p
    where p.template_version_id = has_template_files.version_id
  )
  select not exists (
    select
    from unnest(has_template_files.files) as given
    full join stored on stored.storage_path = given.storage_path
    where (
        given.kind,
        given.role,
        given.locale,
        given.sha256,
        given.size_bytes,
        given.content_type
      ) is distinct from (
        stored.kind,
        stored.role,
        stored.locale,
        stored.sha256,
        stored.size_bytes,
        stored.content_type
      )
  );
end;

comment on function app.has_template_files(uuid, app.template_file[]) is
  'Returns whether a version has exactly these files: paths, hashes, kinds, roles and locales.';
