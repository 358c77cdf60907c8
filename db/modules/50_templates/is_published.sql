-- app.is_published
create or replace function app.is_published(name text, version text)
  returns boolean
  language sql
  stable
  set search_path = ''
begin atomic
  select exists (
    select
    from public.templates as t
    join public.template_versions as v on v.template_id = t.id
    where t.name = is_published.name and v.semver = is_published.version and v.status <> 'draft'
  );
end;

comment on function app.is_published(text, text) is
  'Returns whether a template has this version as a published version, not only as a draft.';
