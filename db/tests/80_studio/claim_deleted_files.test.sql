-- The removal of users' files: due, claimed, confirmed, and folders once more.
-- worker/tasks/remove_deleted_files.test.ts does the same with a store.
begin;
select plan(17);

create temporary table claims (id uuid, claim_id uuid, bucket text, prefix text);
create temporary table confirmed (n integer);
grant all on claims, confirmed to public;
create function pg_temp.id(n integer) returns uuid language sql as
  $$ select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid $$;
create function pg_temp.confirm() returns integer language sql as
  $$ select worker.confirm_deleted_files(coalesce(jsonb_agg(c), '[]')) from claims as c $$;
create function pg_temp.claim(most integer) returns void language sql as $$
  delete from claims;
  insert into claims select * from worker.claim_deleted_files(most)
$$;
grant execute on all functions in schema pg_temp to public;

-- Given a file in use, one to delete now, one to delete later, and a deleted user
insert into app.generation_files (file_id, user_id, generation_id, created_at, delete_at)
values
  (pg_temp.id(1), pg_temp.id(9), pg_temp.id(8), now(), null),
  (pg_temp.id(2), pg_temp.id(9), pg_temp.id(8), now(), now()),
  (pg_temp.id(3), pg_temp.id(9), pg_temp.id(8), now(), now() + interval '3 minutes');
insert into app.deleted_folders (user_id, bucket_id, deleted_at, delete_at)
values
  (pg_temp.id(7), 'user_uploads', now(), now()),
  (pg_temp.id(7), 'generations', now(), now());

-- When the worker claims
select tests.become('worker');
select pg_temp.claim(10);
select results_eq(
  'select id, bucket, prefix from claims order by id, bucket',
  $$
    values
      (pg_temp.id(2), 'generations', pg_temp.id(9) || '/' || pg_temp.id(2)),
      (pg_temp.id(7), 'generations', pg_temp.id(7) || '/'),
      (pg_temp.id(7), 'user_uploads', pg_temp.id(7) || '/')
  $$,
  'claims both folders of a deleted user, and files that are due'
);
select is_empty(
  'select from worker.claim_deleted_files(10)', 'nothing that is claimed is claimed again'
);

-- When the worker does not confirm
reset role;
create temporary table stale as select * from claims;
select tests.travel('4 minutes');
select pg_temp.claim(10);
select results_eq(
  'select id from claims', array[pg_temp.id(3)], 'a file is due at its time, not earlier'
);
select is(pg_temp.confirm(), 1, 'the claim of a file confirms its removal');
select is_empty(
  'select from app.generation_files where file_id = pg_temp.id(3)',
  'a confirmed file has no row any more'
);
select tests.travel('10 minutes');
select pg_temp.claim(10);
select is(
  (select count(*) from claims), 3::bigint,
  'claims that are not confirmed are due again after ten minutes'
);
select is(
  (select worker.confirm_deleted_files(jsonb_agg(s)) from stale as s), 0,
  'an old claim confirms nothing'
);
select is(
  (select array_agg(distinct f.delete_at - app.now()) from app.generation_files as f
   where f.delete_at is not null),
  array[interval '20 minutes'],
  'the pause doubles with each claim that is not confirmed'
);

-- When the worker confirms
select is(pg_temp.confirm(), 3, 'the last claims confirm the removal');
select is(pg_temp.confirm(), 0, 'a confirmed claim is over');
select results_eq(
  'select file_id from app.generation_files', array[pg_temp.id(1)], 'a file in use keeps its row'
);
select tests.travel('179 minutes');
select is_empty(
  'select from worker.claim_deleted_files(10)',
  'a folder is not due while tokens and signed URLs of its user may still be valid'
);
select tests.travel('180 minutes');
select is(app.enqueue_file_removal(), 0, 'the schedule has one batch');
select is(
  (select count(*) from graphile_worker.jobs where task_identifier = 'remove_deleted_files'),
  1::bigint,
  'the schedule enqueues the removal of due files and folders'
);
select pg_temp.claim(1);
select is((select count(*) from claims), 1::bigint, 'claims at most as many as asked for');
insert into claims select * from worker.claim_deleted_files(10);
select pg_temp.confirm();
select is_empty('select from app.deleted_folders', 'the second removal deletes the record');
delete from graphile_worker._private_jobs;
select app.enqueue_file_removal();
select is_empty('select from graphile_worker.jobs', 'nothing is enqueued when nothing is due');

select * from finish();
rollback;
