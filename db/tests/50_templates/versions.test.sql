-- The tables: what a version may be called, how versions are ordered, what never changes, whoever writes.
begin;
select plan(54);

insert into public.templates (name) values ('demo'), ('other');
create function pg_temp.template(name text) returns uuid language sql as $$
  select t.id from public.templates as t where t.name = template.name
$$;
create function pg_temp.version(semver text) returns uuid language sql as $$
  select v.id from public.template_versions as v
  where v.template_id = pg_temp.template('demo') and v.semver = version.semver
$$;

-- Semver 2.0.0, section 11, and its own example; then what trips plain text order.
insert into public.template_versions (template_id, semver)
select pg_temp.template('demo'), v
from unnest(array[
  '2.1.1', '1.0.0', '1.0.0-rc.1', '1.0.0-beta.11', '1.0.0-beta.2', '1.0.0-beta', '1.0.0-alpha.beta', '1.0.0-alpha.1',
  '1.0.0-alpha', '2.1.0', '2.0.0', '10.0.0', '1.10.0', '1.2.0', '1.0.10', '1.0.0-alpha-x', '1.0.0-1', '1.0.0-10', '1.0.0-2',
  '1.0.0-Z', '1.0.0-1a', '0.0.0', '1.0.0-alpha.1.0', '999999999999999999.0.0', '1.0.0-0'
]) as v;
select results_eq(
  $$ select semver from public.template_versions order by precedence $$,
  $$ values ('0.0.0'), ('1.0.0-0'), ('1.0.0-1'), ('1.0.0-2'), ('1.0.0-10'), ('1.0.0-1a'), ('1.0.0-Z'), ('1.0.0-alpha'),
    ('1.0.0-alpha.1'), ('1.0.0-alpha.1.0'), ('1.0.0-alpha.beta'), ('1.0.0-alpha-x'), ('1.0.0-beta'), ('1.0.0-beta.2'),
    ('1.0.0-beta.11'), ('1.0.0-rc.1'), ('1.0.0'), ('1.0.10'), ('1.2.0'), ('1.10.0'), ('2.0.0'), ('2.1.0'), ('2.1.1'),
    ('10.0.0'), ('999999999999999999.0.0') $$,
  'versions are ordered as SemVer orders them'
);
delete from public.template_versions;

select throws_ok(
  format('insert into public.template_versions (template_id, semver) values (pg_temp.template(%L), %L)', 'demo', v),
  '23514', null, format('"%s" is no version', v)
)
from unnest(array[
  '1', '1.2', '01.2.3', '1.02.3', '1.2.03', '1.2.3-', '1.2.3-01', '1.2.3-a..b', 'v1.2.3', '1.2.3 ', '1.2.3+build', '', '1.2.3-ä',
  '1.2.3/../x', '1.2.3-' || repeat('a', 64), '1234567890123456789.0.0'
]) as v;
select lives_ok(
  format('insert into public.template_versions (template_id, semver) values (pg_temp.template(%L), %L)', 'demo', v),
  format('"%s" is a version', v)
)
from unnest(array['1.0.0', '1.0.1-rc.1', '1.0.2--', '1.0.3-x-y-z.4', '1.1.0', '1.2.0']) as v;
select throws_ok(
  $$ insert into public.templates (name) values ('../x') $$, '23514', null, 'a template has a plain name'
);

-- Given a published version with a file and a prompt
insert into public.artifacts (template_version_id, kind, storage_path, sha256, size_bytes, content_type, locale)
select pg_temp.version('1.0.0'), 'main', 'demo/v1.0.0/main.md', repeat('a', 64), 10, 'text/markdown', 'en';
insert into public.prompts (template_version_id, role, storage_path, sha256)
select pg_temp.version('1.0.0'), 'system', 'demo/v1.0.0/system.md', repeat('b', 64);
select throws_ok(
  $$ insert into public.artifacts (template_version_id, kind, storage_path, sha256, size_bytes, content_type)
     select pg_temp.version('1.0.0'), 'other', 'demo/v1.0.0/x.md', repeat('a', 64), 10, 'text/markdown'
     from generate_series(1, 2) $$,
  '23505', null, 'of each kind there is one for each locale, null included'
);
update public.template_versions set status = 'stable', created_by = null where semver = '1.0.0';

-- When somebody changes it by hand, be it the owner
select throws_ok(statement, 'PT409', null, 'refused: ' || regexp_replace(statement, '\s+', ' ', 'g'))
from unnest(array[
  $$ update public.template_versions set semver = '3.0.0' where semver = '1.0.0' $$,
  $$ update public.template_versions set changelog = 'other' where semver = '1.0.0' $$,
  $$ update public.template_versions set template_id = pg_temp.template('other') where semver = '1.0.0' $$,
  $$ update public.template_versions set status = 'draft' where semver = '1.0.0' $$,
  $$ update public.template_versions set semver = '3.0.0' where semver = '1.1.0' $$,
  $$ update public.template_versions set status = 'deprecated' where semver = '1.1.0' $$,
  $$ delete from public.template_versions where semver = '1.0.0' $$,
  $$ truncate public.template_versions cascade $$,
  $$ truncate public.artifacts $$,
  $$ truncate public.prompts $$,
  $$ insert into public.template_versions (template_id, semver, status) values (pg_temp.template('demo'), '4.0.0', 'stable') $$,
  $$ update public.artifacts set sha256 = repeat('c', 64) $$,
  $$ update public.artifacts set template_version_id = pg_temp.version('1.1.0') $$,
  $$ delete from public.artifacts $$,
  $$ delete from public.prompts $$,
  $$ update public.prompts set role = 'user' $$,
  $$ insert into public.prompts (template_version_id, role, storage_path, sha256)
     values (pg_temp.version('1.0.0'), 'user', 'demo/v1.0.0/user.md', repeat('b', 64)) $$
]) as statement;
select throws_ok(
  $$ delete from public.templates where name = 'demo' $$, '23503', null, 'a template with versions is not deleted'
);

-- A default version is stable, and the template's own
select throws_ok(
  $$ update public.templates set default_version_id = pg_temp.version('1.1.0') where name = 'demo' $$,
  '23503', null, 'a draft cannot be the default'
);
select throws_ok(
  $$ update public.templates set default_version_id = pg_temp.version('1.0.0') where name = 'other' $$,
  '23503', null, 'another template''s version cannot be the default'
);
select lives_ok(
  $$ update public.templates set default_version_id = pg_temp.version('1.0.0') where name = 'demo' $$,
  'a stable one of its own can'
);
select throws_ok(
  $$ update public.template_versions set status = 'deprecated' where semver = '1.0.0' $$,
  '23503', null, 'and as long as it is, it stays stable'
);
update public.templates set default_version_id = null;
update public.template_versions set status = 'deprecated' where semver = '1.0.0';
select throws_ok(
  $$ update public.template_versions set status = 'stable' where semver = '1.0.0' $$,
  'PT409', null, 'what is deprecated stays so'
);

-- A user's account may go
insert into public.template_versions (template_id, semver, created_by)
values (pg_temp.template('demo'), '5.0.0', tests.create_user('publisher@example.com'));
select throws_ok(
  $$ update public.template_versions set status = 'stable' where semver = '5.0.0' $$,
  'PT409', null, 'a version without files is not published'
);
insert into public.artifacts (template_version_id, kind, storage_path, sha256, size_bytes, content_type)
select pg_temp.version('5.0.0'), 'main', 'demo/v5.0.0/main.md', repeat('a', 64), 10, 'text/markdown';
update public.template_versions set status = 'stable' where semver = '5.0.0';
select throws_ok(
  format('update public.template_versions set created_by = %L where semver = ''5.0.0''', tests.create_user('b@example.com')),
  'PT409', null, 'who published a version does not change'
);
select throws_ok(
  $$ update public.template_versions set created_by = null where semver = '5.0.0' $$,
  'PT409', null, 'nor is it forgotten'
);
select throws_ok(
  $$ update public.templates set name = 'renamed' where name = 'demo' $$, 'PT409', null, 'a template keeps its name'
);
delete from auth.users where email = 'publisher@example.com';
select is(
  (select v.created_by from public.template_versions as v where v.semver = '5.0.0'),
  null, 'a version outlives the account of who published it'
);

-- The objects of a draft that is deleted by hand
insert into public.artifacts (template_version_id, kind, storage_path, sha256, size_bytes, content_type)
select pg_temp.version('1.2.0'), 'main', 'demo/v1.2.0/main.md', repeat('d', 64), 10, 'text/markdown';
insert into public.prompts (template_version_id, role, storage_path, sha256)
select pg_temp.version('1.2.0'), 'user', 'demo/v1.2.0/user.md', repeat('e', 64);
delete from public.artifacts where template_version_id = pg_temp.version('1.2.0');
delete from public.prompts where template_version_id = pg_temp.version('1.2.0');
delete from public.template_versions where semver = '1.2.0';
select results_eq(
  $$ select storage_path, sha256 from app.template_uploads order by 1 $$,
  $$ values ('demo/v1.2.0/main.md', repeat('d', 64)), ('demo/v1.2.0/user.md', repeat('e', 64)) $$,
  'are left to the sweep'
);

select * from finish();
rollback;
