-- app.find_previous_version
--
-- Called by   npm run templates:rollback without --version; as postgres
create or replace function app.find_previous_version(name text)
  returns text
  language sql
  stable
  set search_path = ''
begin atomic
  select v.semver
  from public.templates as t
  join public.template_versions as d on d.id = t.default_version_id
  join public.template_versions as v on v.template_id = t.id
  where t.name = find_previous_version.name
    and v.status = 'stable'
    and v.precedence < d.precedence
    -- The rollback of a release skips prereleases.
    and (strpos(v.semver, '-') = 0 or strpos(d.semver, '-') > 0)
  order by v.precedence desc
  limit 1;
end;

comment on function app.find_previous_version(text) is
  'Returns the highest stable version below the default version, or null. Skips prereleases if '
  'the default is a release.';
