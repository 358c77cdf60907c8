-- app.list_template_versions
--
-- Called by   npm run templates:list, templates:rollback; as postgres
create or replace function app.list_template_versions(name text)
  returns table (
    template text,
    version text,
    status text,
    is_default boolean,
    channels text,
    files bigint,
    created_at timestamptz
  )
  language sql
  stable
  set search_path = ''
begin atomic
  select
    t.name,
    v.semver,
    v.status,
    coalesce(t.default_version_id = v.id, false),
    (
      select string_agg(format('%s %s%%', c.channel, c.weight), ', ' order by c.channel)
      from app.template_channels as c
      where c.template_version_id = v.id
    ),
    (select count(*) from public.artifacts as a where a.template_version_id = v.id)
      + (select count(*) from public.prompts as p where p.template_version_id = v.id),
    v.created_at
  from public.templates as t
  join public.template_versions as v on v.template_id = t.id
  where list_template_versions.name is null or t.name = list_template_versions.name
  order by t.name, v.precedence desc;
end;

comment on function app.list_template_versions(text) is
  'Lists the versions of one template, or of all templates if name is null; the highest version '
  'first.';
