-- app.find_previous_version
--
-- Called by   npm run templates:rollback, where no version is named; as postgres
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
    -- From a release one goes back to a release.
    and (strpos(v.semver, '-') = 0 or strpos(d.semver, '-') > 0)
  order by v.precedence desc
  limit 1;
end;

comment on function app.find_previous_version(text) is
  'The highest stable version below the default one, for a release a release; null where there is none.';
