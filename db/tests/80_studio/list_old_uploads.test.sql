-- The photos that are older than upload_retention, a part of the bucket at a time.
begin;
select plan(7);

insert into storage.objects (bucket_id, name, created_at, updated_at)
values
  ('user_uploads', 'a/1.png', now() - interval '31 days', now() - interval '31 days'),
  ('user_uploads', 'a/2.png', now() - interval '29 days', now() - interval '29 days'),
  ('user_uploads', 'a/3.png', now() - interval '90 days', now() - interval '1 day'),
  ('user_uploads', 'b/1.png', now() - interval '31 days', null),
  ('generations', 'a/1.png', now() - interval '31 days', now() - interval '31 days');
select tests.become('worker');

select results_eq(
  $$ select names, next from worker.list_old_uploads('', 10) $$,
  $$ values (array['a/1.png', 'b/1.png'], null::text) $$,
  'names the photos that are too old, and none that was stored again'
);
select results_eq(
  $$ select names, next from worker.list_old_uploads('', 2) $$,
  $$ values (array['a/1.png'], 'a/2.png') $$,
  'looks at a part of the bucket, and names the last photo of the part'
);
select results_eq(
  $$ select names, next from worker.list_old_uploads('a/2.png', 2) $$,
  $$ values (array['b/1.png'], 'b/1.png') $$,
  'continues after the part before'
);
select results_eq(
  $$ select names, next from worker.list_old_uploads('b/1.png', 2) $$,
  $$ values ('{}'::text[], null::text) $$,
  'ends at the end of the bucket'
);
reset role;
update app.settings set upload_retention = '2 hours';
select results_eq(
  $$ select names from worker.list_old_uploads('', 10) $$,
  $$ values (array['a/1.png', 'a/2.png', 'a/3.png', 'b/1.png']) $$,
  'follows app.settings.upload_retention'
);
insert into storage.objects (bucket_id, name, updated_at)
select 'user_uploads', n, now() - interval '31 days'
from unnest(array['a/../b/1.png', 'a/./1.png', 'a/.', '../a', 'a//1.png', 'a/']) as n;
select results_eq(
  $$ select names from worker.list_old_uploads('', 20) $$,
  $$ values (array['a/1.png', 'a/2.png', 'a/3.png', 'b/1.png']) $$,
  'names no path that a server may read as another one'
);
select app.enqueue_upload_removal();
select is(
  (select count(*) from graphile_worker.jobs where task_identifier = 'remove_old_uploads'),
  1::bigint,
  'the schedule enqueues the removal'
);

select * from finish();
rollback;
