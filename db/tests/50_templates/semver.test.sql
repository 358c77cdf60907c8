-- Which versions a template can have, and their order.
begin;
select plan(23);

insert into public.templates (name) values ('demo');
create function pg_temp.add(semver text) returns void language sql as $$
  insert into public.template_versions (template_id, semver)
  select t.id, add.semver from public.templates as t where t.name = 'demo'
$$;

-- Given the example of SemVer 2.0.0, section 11, and versions that a plain text order would
-- misplace
select pg_temp.add(v)
from unnest(array[
  '2.1.1', '1.0.0', '1.0.0-rc.1', '1.0.0-beta.11', '1.0.0-beta.2', '1.0.0-beta', '1.0.0-alpha.beta',
  '1.0.0-alpha.1',
  '1.0.0-alpha', '2.1.0', '2.0.0', '10.0.0', '1.10.0', '1.2.0', '1.0.10', '1.0.0-alpha-x',
  '1.0.0-1', '1.0.0-10',
  '1.0.0-2', '1.0.0-Z', '1.0.0-1a', '0.0.0', '1.0.0-alpha.1.0', '999999999999999999.0.0', '1.0.0-0'
]) as v;
select results_eq(
  $$ select semver from public.template_versions order by precedence $$,
  $$ values ('0.0.0'), ('1.0.0-0'), ('1.0.0-1'), ('1.0.0-2'), ('1.0.0-10'), ('1.0.0-1a'),
    ('1.0.0-Z'), ('1.0.0-alpha'),
    ('1.0.0-alpha.1'), ('1.0.0-alpha.1.0'), ('1.0.0-alpha.beta'), ('1.0.0-alpha-x'), ('1.0.0-beta'),
    ('1.0.0-beta.2'),
    ('1.0.0-beta.11'), ('1.0.0-rc.1'), ('1.0.0'), ('1.0.10'), ('1.2.0'), ('1.10.0'), ('2.0.0'),
    ('2.1.0'), ('2.1.1'),
    ('10.0.0'), ('999999999999999999.0.0') $$,
  'precedence orders versions as SemVer does'
);
delete from public.template_versions;

-- When a version is added
select throws_ok(
  format('select pg_temp.add(%L)', v), '23514', null, format('refuses "%s" as a version', v)
)
from unnest(array[
  '1', '1.2', '01.2.3', '1.02.3', '1.2.03', '1.2.3-', '1.2.3-01', '1.2.3-a..b', 'v1.2.3', '1.2.3 ',
  '1.2.3+build', '',
  '1.2.3-ä', '1.2.3/../x', '1.2.3-' || repeat('a', 64), '1234567890123456789.0.0'
]) as v;
select lives_ok(format('select pg_temp.add(%L)', v), format('accepts "%s" as a version', v))
from unnest(array['1.0.0', '1.0.1-rc.1', '1.0.2--', '1.0.3-x-y-z.4', '1.1.0', '1.2.0']) as v;

select * from finish();
rollback;
