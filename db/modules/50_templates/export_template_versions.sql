-- app.export_template_versions
create or replace function app.export_template_versions(user_id uuid)
  returns setof json
  language sql
  stable
  set search_path = ''
as $$
  select json_build_object(
    'id', v.id,
    'template', t.name,
    'version', v.semver,
    'status', v.status,
    'changelog', v.changelog,
    'created_at', v.created_at
  )
  from public.template_versions as v
  join public.templates as t on t.id = v.template_id
  where v.created_by = export_template_versions.user_id
  order by v.created_at, v.id
$$;

comment on function app.export_template_versions(uuid) is
  'Returns the template versions that a user published, for app.export_user_data.';
