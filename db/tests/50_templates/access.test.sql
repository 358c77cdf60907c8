-- Who sees what, in the tables and in the bucket; what jobs used, and what operators see of it.
begin;
select plan(30);

create function pg_temp.files(folder text, version text) returns jsonb language sql as $$
  select jsonb_build_array(jsonb_build_object(
    'kind', 'main', 'storage_path', format('%s/v%s/main.md', folder, version), 'sha256', repeat('a', 64), 'size_bytes', 10,
    'content_type', 'text/markdown'
  ))
$$;
create temporary table ids as
select tests.create_user('ana@example.com') as ana, 0::bigint as run;
grant select on ids to public;
select public.publish_template_version('shown', '1.0.0', pg_temp.files('shown', '1.0.0'), set_default => true);
select public.publish_template_version('shown', '1.1.0', pg_temp.files('shown', '1.1.0'));
select public.publish_template_version('shown', '2.0.0', pg_temp.files('shown', '2.0.0'), status => 'draft');
select public.publish_template_version('hidden', '1.0.0', pg_temp.files('hidden', '1.0.0'), set_default => true);
insert into storage.objects (bucket_id, name)
values
  ('template-artifacts', 'shown/v1.0.0/main.md'), ('template-artifacts', 'shown/v2.0.0/main.md'),
  ('template-artifacts', 'hidden/v1.0.0/main.md'), ('template-artifacts', 'shown/v1.0.0/unknown.md');

-- service_role switches a template off
select tests.become('service_role');
select lives_ok($$ update public.templates set enabled = false where name = 'hidden' $$, 'service_role disables a template');
select throws_ok($$ update public.templates set name = 'x' $$, '42501', null, 'and changes nothing else directly');
select throws_ok($$ delete from public.template_versions $$, '42501', null, 'deletes nothing');
select throws_ok(
  $$ insert into public.templates (name) values ('x') $$, '42501', null, 'inserts nothing'
);
select is((select count(*) from public.template_versions), 4::bigint, 'and sees all');
select lives_ok(
  $$ insert into storage.objects (bucket_id, name) values ('template-artifacts', 'shown/v9.0.0/x') $$,
  'service_role uploads into the bucket'
);

-- A signed-in user
select tests.sign_in((select ana from ids));
select results_eq($$ select name from public.templates $$, $$ values ('shown') $$, 'a user sees enabled templates');
select results_eq(
  $$ select semver from public.template_versions order by precedence $$, $$ values ('1.0.0'), ('1.1.0') $$,
  'versions that are no drafts'
);
select results_eq(
  $$ select storage_path from public.artifacts order by 1 $$,
  $$ values ('shown/v1.0.0/main.md'), ('shown/v1.1.0/main.md') $$,
  'and their files'
);
select throws_ok($$ select created_by from public.template_versions $$, '42501', null, 'not who published them');
select results_eq(
  $$ select name from storage.objects where bucket_id = 'template-artifacts' $$, $$ values ('shown/v1.0.0/main.md') $$,
  'a user downloads what belongs to what they see'
);
select throws_ok(
  $$ insert into storage.objects (bucket_id, name) values ('template-artifacts', 'shown/v1.0.0/x.md') $$,
  '42501', null, 'a user uploads nothing'
);
update storage.objects set name = 'shown/v1.0.0/mine.md' where bucket_id = 'template-artifacts';
select results_eq(
  $$ select name from storage.objects where bucket_id = 'template-artifacts' $$, $$ values ('shown/v1.0.0/main.md') $$,
  'nor changes anything there'
);
select is(public.template_manifest('shown') ->> 'version', '1.0.0', 'a user reads a manifest');
select throws_ok($$ select public.template_manifest('hidden') $$, 'PT404', null, 'not that of a disabled template');
select throws_ok($$ select public.template_manifest('shown', '2.0.0') $$, 'PT404', null, 'nor that of a draft');
select throws_ok(format('select public.%s', call), '42501', null, 'a user may not call ' || call)
from unnest(array[
  $$set_default_version('shown', '1.1.0')$$, $$set_template_channel('shown', 'default', '{}')$$,
  $$deprecate_template_version('shown', '1.1.0')$$, $$publish_template_version('x', '1.0.0', '[]')$$
]) as call;

-- Anybody
select tests.become('anon');
select throws_ok('select name from public.templates', '42501', null, 'a stranger sees no template');
select is_empty($$ select name from storage.objects where bucket_id = 'template-artifacts' $$, 'and no object');
select throws_ok($$ select public.template_manifest('shown') $$, '42501', null, 'and no manifest');
reset role;
select is(
  (select b.public from storage.buckets as b where b.id = 'template-artifacts'), false, 'the bucket is private'
);

-- When jobs use versions
insert into public.job_types (name) values ('prompting');
update ids set run = app.submit_run(
  '{"key": "r", "type": "group", "steps": [{"key": "a", "type": "prompting"}, {"key": "b", "type": "prompting"}, {"key": "c", "type": "prompting"}]}',
  null, null
);
create temporary table steps as
select j.key, j.id from public.jobs as j where j.parent_id = (select run from ids);
grant select on steps to public;
create temporary table shown_file as
select a.sha256 from public.artifacts as a where a.storage_path = 'shown/v1.0.0/main.md';
grant select on shown_file to public;
select tests.become('worker');
select is(
  worker.template_manifest('shown', 'default', 'en', null) ->> 'version', '1.0.0', 'the worker gets a manifest'
);
select is(
  (select worker.record_template_use(s.id, 'shown', '1.0.0', array[repeat('f', 64)]) from steps as s where s.key = 'a'), false,
  'other texts under a version''s number are not its use'
);
select worker.record_template_use(s.id, 'shown', '1.0.0', (select array[f.sha256] from shown_file as f)) from steps as s where s.key = 'a';
select worker.record_template_use(s.id, 'shown', '1.1.0', '{}') from steps as s where s.key in ('b', 'c');
select is(worker.record_template_use(-1, 'shown', '1.1.0', '{}'), false, 'a job that is gone does no harm');
select is(
  (select worker.record_template_use(s.id, 'shown', '9.9.9', '{}') from steps as s where s.key = 'c'), false,
  'what was never published is not recorded'
);
reset role;
update public.jobs set status = 'completed', finished_at = now(), started_at = now() - interval '2 seconds', worked_at = now(),
  output = '{"usage": {"input_tokens": 10, "output_tokens": 3}}'
where id = (select id from steps where key = 'a');
update public.jobs set status = 'failed', finished_at = now(), started_at = now(), output = '{"usage": {"input_tokens": "many"}}'
where id = (select id from steps where key = 'b');
select results_eq(
  $$ select version, runs, completed, failures, failures_percent, latency_p50_ms, input_tokens, output_tokens
     from ops.template_versions_compared where template = 'shown' $$,
  $$ values ('1.1.0', 1::bigint, 0::bigint, 1::bigint, 100.0, null::bigint, null::numeric, null::numeric),
       ('1.0.0', 1, 1, 0, 0.0, 2000, 10, 3) $$,
  'operators compare versions: runs, failures, latency, tokens'
);
delete from app.runs where id = (select run from ids);
select is_empty('select 1 from app.template_uses', 'what a job used goes with its run');

select * from finish();
rollback;
