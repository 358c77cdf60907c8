-- Access to the tables and the bucket, by role.
begin;
select plan(25);

-- Given a template with stable versions and a draft, and a template that is switched off
create function pg_temp.files(folder text, version text) returns jsonb language sql as $$
  select jsonb_build_array(jsonb_build_object(
    'kind', 'main', 'storage_path', format('%s/v%s/main.md', folder, version), 'sha256',
    repeat('a', 64),
    'size_bytes', 10, 'content_type', 'text/markdown'
  ))
$$;
create temporary table ids as select tests.create_user('ana@example.com') as ana;
grant select on ids to public;
select public.publish_template_version(
  'shown', '1.0.0', pg_temp.files('shown', '1.0.0'), set_default => true
);
select public.publish_template_version('shown', '1.1.0', pg_temp.files('shown', '1.1.0'));
select public.publish_template_version(
  'shown', '2.0.0', pg_temp.files('shown', '2.0.0'), status => 'draft'
);
select public.publish_template_version(
  'hidden', '1.0.0', pg_temp.files('hidden', '1.0.0'), set_default => true
);
insert into storage.buckets (id, name) values ('another', 'another');
insert into storage.objects (bucket_id, name)
values
  ('another', 'shown/v1.0.0/main.md'),
  ('template-artifacts', 'shown/v1.0.0/main.md'), ('template-artifacts', 'shown/v2.0.0/main.md'),
  ('template-artifacts', 'hidden/v1.0.0/main.md'),
  ('template-artifacts', 'shown/v1.0.0/unknown.md');

-- service_role
select tests.become('service_role');
select lives_ok(
  $$ update public.templates set enabled = false where name = 'hidden' $$,
  'service_role switches a template off'
);
select throws_ok(
  $$ update public.templates set name = 'x' $$, '42501', null,
  'service_role may not rename a template'
);
select throws_ok(
  $$ delete from public.template_versions $$, '42501', null, 'service_role may not delete versions'
);
select throws_ok(
  $$ insert into public.templates (name) values ('x') $$, '42501', null,
  'service_role may not insert templates'
);
select is(
  (select count(*) from public.template_versions), 4::bigint, 'service_role reads all versions'
);
select lives_ok(
  $$
    insert into storage.objects (bucket_id, name) values ('template-artifacts', 'shown/v9.0.0/x')
  $$,
  'service_role uploads into the bucket'
);

-- A signed-in user
select tests.sign_in((select ana from ids));
select results_eq(
  $$ select name from public.templates $$, $$ values ('shown') $$,
  'a user reads only enabled templates'
);
select results_eq(
  $$ select semver from public.template_versions order by precedence $$,
  $$ values ('1.0.0'), ('1.1.0') $$,
  'a user reads only versions of enabled templates that are not drafts'
);
select results_eq(
  $$ select storage_path from public.artifacts order by 1 $$,
  $$ values ('shown/v1.0.0/main.md'), ('shown/v1.1.0/main.md') $$,
  'a user reads only files of versions that the user reads'
);
select lives_ok(
  $$ select * from public.template_versions $$, 'a user reads every column of a version'
);
select results_eq(
  $$ select bucket_id, name from storage.objects $$,
  $$ values ('template-artifacts', 'shown/v1.0.0/main.md') $$,
  'a user downloads only files of versions that the user reads, and no object of another bucket'
);
select throws_ok(
  $$
    insert into storage.objects (bucket_id, name) values ('template-artifacts', 'shown/v1.0.0/x.md')
  $$,
  '42501', null,
  'a user may not upload into the bucket'
);
update storage.objects set name = 'shown/v1.0.0/mine.md' where bucket_id = 'template-artifacts';
select results_eq(
  $$ select name from storage.objects where bucket_id = 'template-artifacts' $$,
  $$ values ('shown/v1.0.0/main.md') $$,
  'a user cannot rename an object of the bucket'
);
select is(
  public.template_manifest('shown') ->> 'version', '1.0.0',
  'a user reads the manifest of an enabled template'
);
select throws_ok(
  $$ select public.template_manifest('hidden') $$, 'PT404', 'Template "hidden" not found.',
  'a user gets 404 for the manifest of a template that is switched off'
);
select throws_ok(
  $$ select public.template_manifest('shown', '2.0.0') $$, 'PT404',
  'Template "shown" has no version "2.0.0".',
  'a user gets 404 for the manifest of a draft'
);
select throws_ok(format('select public.%s', call), '42501', null, 'a user may not call ' || call)
from unnest(array[
  $$set_default_version('shown', '1.1.0')$$, $$set_template_channel('shown', 'default', '{}')$$,
  $$deprecate_template_version('shown', '1.1.0')$$, $$publish_template_version('x', '1.0.0', '[]')$$
]) as call;

-- Anonymous callers
select tests.become('anon');
select throws_ok('select name from public.templates', '42501', null, 'anon may not read templates');
select is_empty(
  $$ select name from storage.objects where bucket_id = 'template-artifacts' $$,
  'anon reads no object of the bucket'
);
select throws_ok(
  $$ select public.template_manifest('shown') $$, 'PT401', null,
  'anon may not call template_manifest'
);
reset role;
select is(
  (select b.public from storage.buckets as b where b.id = 'template-artifacts'), false,
  'the bucket is private'
);

-- The worker
select tests.become('worker');
select is(
  worker.template_manifest('shown', 'default', 'en', null) ->> 'version', '1.0.0',
  'the worker reads the manifest of an enabled template'
);

select * from finish();
rollback;
