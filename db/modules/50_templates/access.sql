-- Signed-in users read enabled templates, their published versions and the files of these, and
-- download the files. Only functions write the tables; service_role reads all tables and changes
-- templates.enabled.

revoke all on public.templates, public.template_versions, public.artifacts, public.prompts
  from anon, authenticated, service_role;

grant select (id, name, default_version_id, default_version_status, enabled, created_at, updated_at)
  on public.templates to authenticated;
-- Every column, so that select('*') works. created_by is the id of a publisher, and gives no access
-- to anything.
grant select (
  id, template_id, semver, precedence, status, created_by, changelog, created_at, updated_at
) on public.template_versions to authenticated;
grant select (
  id, template_version_id, kind, storage_path, sha256, size_bytes, content_type, locale, created_at
) on public.artifacts to authenticated;
grant select (id, template_version_id, role, locale, storage_path, sha256, created_at)
  on public.prompts to authenticated;
grant select on public.templates, public.template_versions, public.artifacts, public.prompts
  to service_role;
grant update (enabled) on public.templates to service_role;

drop policy if exists select_enabled on public.templates;
create policy select_enabled on public.templates
  for select
  to authenticated
  using (enabled);

-- The subqueries below run under the caller's policies, so each policy also applies the one above
-- it.
drop policy if exists select_published on public.template_versions;
create policy select_published on public.template_versions
  for select
  to authenticated
  using (
    status <> 'draft'
    and exists (select from public.templates as t where t.id = template_versions.template_id)
  );

drop policy if exists select_published on public.artifacts;
create policy select_published on public.artifacts
  for select
  to authenticated
  using (
    exists (select from public.template_versions as v where v.id = artifacts.template_version_id)
  );

drop policy if exists select_published on public.prompts;
create policy select_published on public.prompts
  for select
  to authenticated
  using (
    exists (select from public.template_versions as v where v.id = prompts.template_version_id)
  );

-- The bucket, if the database has Supabase Storage or its shim. Only service_role uploads, because
-- it bypasses policies.
do $$
begin
  if to_regclass('storage.buckets') is null or to_regclass('storage.objects') is null then
    raise notice 'storage.objects does not exist, so bucket template-artifacts was not created.';
    return;
  end if;

  insert into storage.buckets (id, name, public, file_size_limit)
  values ('template-artifacts', 'template-artifacts', false, 1048576)
  on conflict (id) do update set public = false;

  drop policy if exists select_template_artifacts on storage.objects;
  create policy select_template_artifacts on storage.objects
    for select
    to authenticated
    using (
      bucket_id = 'template-artifacts'
      and (
        exists (select from public.artifacts as a where a.storage_path = objects.name)
        or exists (select from public.prompts as p where p.storage_path = objects.name)
      )
    );
end
$$;

-- The gate sends the hint to a caller who may not write the table.
insert into app.table_hints (table_name, hint)
values
  ('templates', 'Operators publish templates with npm run upload-bundle.'),
  ('template_versions', 'Operators publish templates with npm run upload-bundle.'),
  ('artifacts', 'Operators publish templates with npm run upload-bundle.'),
  ('prompts', 'Operators publish templates with npm run upload-bundle.')
on conflict on constraint table_hints_pkey do update set hint = excluded.hint;
