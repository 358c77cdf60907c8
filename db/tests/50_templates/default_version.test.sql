-- The constraints of a template and its default version hold for every role that writes.
begin;
select plan(6);

insert into public.templates (name) values ('demo'), ('other');
create function pg_temp.version(semver text) returns uuid language sql as $$
  select v.id from public.template_versions as v where v.semver = version.semver
$$;
insert into public.template_versions (template_id, semver)
select t.id, v
from public.templates as t
cross join unnest(array['1.0.0', '1.1.0']) as v
where t.name = 'demo';
insert into public.artifacts (
  template_version_id, kind, storage_path, sha256, size_bytes, content_type
)
select
  pg_temp.version('1.0.0'), 'main', 'demo/v1.0.0/main.md', repeat('a', 64), 10, 'text/markdown';
select throws_ok(
  $$
    insert into public.artifacts (
      template_version_id, kind, storage_path, sha256, size_bytes, content_type
    )
    select
      pg_temp.version('1.0.0'), 'other', 'demo/v1.0.0/' || n, repeat('a', 64), 10, 'text/markdown'
    from generate_series(1, 2) as n
  $$,
  '23505', null,
  'refuses two files of one kind without a locale'
);
update public.template_versions set status = 'stable' where semver = '1.0.0';

select throws_ok(
  $$ insert into public.templates (name) values ('../x') $$, '23514', null,
  'refuses a template name that is not plain'
);
select throws_ok(
  $$
    update public.templates set default_version_id = pg_temp.version('1.1.0') where name = 'demo'
  $$,
  '23503', null,
  'refuses a draft as the default version'
);
select throws_ok(
  $$
    update public.templates set default_version_id = pg_temp.version('1.0.0') where name = 'other'
  $$,
  '23503', null,
  'refuses the version of another template as the default version'
);
select lives_ok(
  $$
    update public.templates set default_version_id = pg_temp.version('1.0.0') where name = 'demo'
  $$,
  'accepts a stable version of the template as the default version'
);
select throws_ok(
  $$ update public.template_versions set status = 'deprecated' where semver = '1.0.0' $$, '23503',
  null,
  'keeps the default version stable'
);

select * from finish();
rollback;
