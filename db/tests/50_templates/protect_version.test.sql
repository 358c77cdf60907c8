-- Published versions never change, even if the owner of the tables writes directly.
begin;
select plan(24);

insert into public.templates (name) values ('demo'), ('other');
create function pg_temp.template(name text) returns uuid language sql as $$
  select t.id from public.templates as t where t.name = template.name
$$;
create function pg_temp.version(semver text) returns uuid language sql as $$
  select v.id from public.template_versions as v
  where v.template_id = pg_temp.template('demo') and v.semver = version.semver
$$;
insert into public.template_versions (template_id, semver)
select pg_temp.template('demo'), v from unnest(array['1.0.0', '1.1.0']) as v;

-- Given a published version with a file and a prompt, and a draft
insert into public.artifacts (
  template_version_id, kind, storage_path, sha256, size_bytes, content_type, locale
)
select
  pg_temp.version('1.0.0'), 'main', 'demo/v1.0.0/main.md', repeat('a', 64), 10, 'text/markdown',
  'en';
insert into public.prompts (template_version_id, role, storage_path, sha256)
select pg_temp.version('1.0.0'), 'system', 'demo/v1.0.0/system.md', repeat('b', 64);
update public.template_versions set status = 'stable', created_by = null where semver = '1.0.0';

-- When the owner of the tables writes directly
select throws_ok(
  statement, 'PT409', null, 'refuses ' || regexp_replace(btrim(statement), '\s+', ' ', 'g')
)
from unnest(array[
  $$ update public.template_versions set semver = '3.0.0' where semver = '1.0.0' $$,
  $$ update public.template_versions set changelog = 'other' where semver = '1.0.0' $$,
  $$
    update public.template_versions
    set template_id = pg_temp.template('other')
    where semver = '1.0.0'
  $$,
  $$ update public.template_versions set status = 'draft' where semver = '1.0.0' $$,
  $$ update public.template_versions set semver = '3.0.0' where semver = '1.1.0' $$,
  $$ update public.template_versions set status = 'deprecated' where semver = '1.1.0' $$,
  $$ delete from public.template_versions where semver = '1.0.0' $$,
  $$ truncate public.template_versions cascade $$,
  $$ truncate public.artifacts $$,
  $$ truncate public.prompts $$,
  $$
    insert into public.template_versions (template_id, semver, status)
    values (pg_temp.template('demo'), '4.0.0', 'stable')
  $$,
  $$ update public.artifacts set sha256 = repeat('c', 64) $$,
  $$ update public.artifacts set template_version_id = pg_temp.version('1.1.0') $$,
  $$ delete from public.artifacts $$,
  $$ delete from public.prompts $$,
  $$ update public.prompts set role = 'user' $$,
  $$ insert into public.prompts (template_version_id, role, storage_path, sha256)
     values (pg_temp.version('1.0.0'), 'user', 'demo/v1.0.0/user.md', repeat('b', 64)) $$
]) as statement;
select throws_ok(
  $$ delete from public.templates where name = 'demo' $$, '23503', null,
  'refuses to delete a template with versions'
);
select throws_ok(
  $$ update public.templates set name = 'renamed' where name = 'demo' $$,
  'PT409', 'The name of a template cannot change, because jobs ask for it.',
  'refuses to rename a template'
);
update public.template_versions set status = 'deprecated' where semver = '1.0.0';
select throws_ok(
  $$ update public.template_versions set status = 'stable' where semver = '1.0.0' $$,
  'PT409', 'The status of a version cannot change from deprecated to stable.',
  'refuses to make a deprecated version stable again'
);

-- Given a version that a user published
insert into public.template_versions (template_id, semver, created_by)
values (pg_temp.template('demo'), '5.0.0', tests.create_user('publisher@example.com'));
select throws_ok(
  $$ update public.template_versions set status = 'stable' where semver = '5.0.0' $$,
  'PT409', 'A version without files cannot be stable.',
  'refuses to publish a version without files'
);
insert into public.artifacts (
  template_version_id, kind, storage_path, sha256, size_bytes, content_type
)
select
  pg_temp.version('5.0.0'), 'main', 'demo/v5.0.0/main.md', repeat('a', 64), 10, 'text/markdown';
update public.template_versions set status = 'stable' where semver = '5.0.0';
select throws_ok(
  format(
    'update public.template_versions set created_by = %L where semver = ''5.0.0''',
    tests.create_user('b@example.com')
  ),
  'PT409', 'A published version cannot change.',
  'refuses to name another user as publisher'
);
select throws_ok(
  $$ update public.template_versions set created_by = null where semver = '5.0.0' $$,
  'PT409', 'A published version cannot change.',
  'refuses to forget the publisher while the account exists'
);
delete from auth.users where email = 'publisher@example.com';
select is(
  (select v.created_by from public.template_versions as v where v.semver = '5.0.0'), null,
  'keeps the version when the publisher''s account is deleted'
);

select * from finish();
rollback;
