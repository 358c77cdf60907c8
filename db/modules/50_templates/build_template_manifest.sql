-- app.build_template_manifest
--
-- Errors      PT404 template_version_not_found, PT422 locale_unknown
create or replace function app.build_template_manifest(
  name text,
  version public.template_versions,
  locale text
)
  returns json
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  perform app.require_template_locale(
    build_template_manifest.version, build_template_manifest.locale
  );

  return json_build_object(
    'template', build_template_manifest.name,
    'version', (build_template_manifest.version).semver,
    'version_id', (build_template_manifest.version).id,
    'status', (build_template_manifest.version).status,
    'changelog', (build_template_manifest.version).changelog,
    'artifacts', coalesce((
      select json_agg(
        json_build_object(
          'kind', a.kind,
          'locale', a.locale,
          'storage_path', a.storage_path,
          'sha256', a.sha256,
          'size_bytes', a.size_bytes,
          'content_type', a.content_type
        )
        order by a.kind, a.locale
      )
      from public.artifacts as a
      where a.template_version_id = (build_template_manifest.version).id
        and (
          build_template_manifest.locale is null
          or a.locale = build_template_manifest.locale
          or (a.locale is null and not exists (
            select
            from public.artifacts as o
            where o.template_version_id = a.template_version_id
              and o.kind = a.kind
              and o.locale = build_template_manifest.locale
          ))
        )
    ), '[]'),
    'prompts', coalesce((
      select json_agg(
        json_build_object(
          'role', p.role,
          'locale', p.locale,
          'storage_path', p.storage_path,
          'sha256', p.sha256
        )
        order by p.role, p.locale
      )
      from public.prompts as p
      where p.template_version_id = (build_template_manifest.version).id
        and (
          build_template_manifest.locale is null
          or p.locale = build_template_manifest.locale
          or (p.locale is null and not exists (
            select
            from public.prompts as o
            where o.template_version_id = p.template_version_id
              and o.role = p.role
              and o.locale = build_template_manifest.locale
          ))
        )
    ), '[]')
  );
end
$$;

comment on function app.build_template_manifest(text, public.template_versions, text) is
  'Builds the manifest of a version: for every kind and role the file in this locale, or else the '
  'file for all languages. All files if locale is null.';
