-- The removal of a deleted drama's objects: due, claimed, confirmed, once more.
-- worker/tasks/remove_deleted_media.test.ts does the same with a store.
begin;
select plan(20);

create temporary table users_of as
select tests.create_user('ana@example.com') as ana, tests.create_user('ben@example.com') as ben;
create temporary table claims (drama_id uuid, claim_id uuid, prefix text);
grant all on users_of, claims to public;
create function pg_temp.confirm() returns boolean language sql as
  $$ select worker.confirm_media_removal(c.drama_id, c.claim_id) from claims as c $$;
create function pg_temp.removable(key text, modified_at text) returns setof text language sql as $$
  select l.object_key
  from claims as c
  cross join lateral worker.list_removable_media(
    c.drama_id, c.claim_id,
    jsonb_build_array(jsonb_build_object('key', key, 'modified_at', modified_at))
  ) as l
$$;
create function pg_temp.save(id text) returns void language sql as
  $$ select save_drama_complete(json_build_object('id', id, 'title', 'A')) $$;
grant execute on all functions in schema pg_temp to public;

-- Given a drama
select tests.sign_in((select ana from users_of));
select pg_temp.save('00000000-0000-4000-8000-000000000001');
reset role;
select is_empty(
  'select from worker.claim_deleted_media(10)', 'claims nothing while the drama exists'
);

-- When its owner deletes it
select tests.sign_in((select ana from users_of));
select delete_drama('00000000-0000-4000-8000-000000000001');
reset role;
select is(
  (select count(*) from graphile_worker.jobs where task_identifier = 'remove_deleted_media'),
  1::bigint,
  'the deletion of a drama enqueues the removal of its objects'
);
select tests.become('worker');
insert into claims select * from worker.claim_deleted_media(10);
select results_eq(
  'select drama_id, prefix from claims',
  $$
    values (
      '00000000-0000-4000-8000-000000000001'::uuid,
      'drama-assets/00000000-0000-4000-8000-000000000001/'
    )
  $$,
  'a deleted drama is due at once'
);
select is_empty('select from worker.claim_deleted_media(10)', 'a claimed drama is not due');

-- When the worker lists the objects
reset role;
select set_eq(
  $$
    select pg_temp.removable(k, '2020-01-01T00:00:00Z') from unnest(array[
      'drama-assets/00000000-0000-4000-8000-000000000001/a.png',
      'drama-assets/00000000-0000-4000-8000-000000000002/a.png',
      'shared-assets/00000000-0000-4000-8000-000000000001/a.png'
    ]) as k
  $$,
  array['drama-assets/00000000-0000-4000-8000-000000000001/a.png'],
  'only objects of the claimed drama may be deleted'
);

-- When the worker does not confirm
select tests.travel('9 minutes');
select is_empty('select from worker.claim_deleted_media(10)', 'a claim lasts ten minutes');
select tests.travel('10 minutes');
create temporary table stale as select * from claims;
grant select on stale to public;
delete from claims;
insert into claims select * from worker.claim_deleted_media(10);
select is(
  (select count(*) from claims), 1::bigint,
  'a claim that is not confirmed is due again after ten minutes'
);
select is(
  (select worker.confirm_media_removal(s.drama_id, s.claim_id) from stale as s), false,
  'an old claim confirms nothing'
);
select is_empty(
  $$
    select l.*
    from stale as s
    cross join lateral worker.list_removable_media(
      s.drama_id, s.claim_id,
      jsonb_build_array(
        jsonb_build_object('key', s.prefix || 'a.png', 'modified_at', '2020-01-01T00:00:00Z')
      )
    ) as l
  $$,
  'an old claim may delete nothing'
);
select is(
  (select remove_at - app.now() from app.deleted_media), interval '20 minutes',
  'the pause doubles with each claim that is not confirmed'
);

-- When the worker confirms
select is(pg_temp.confirm(), true, 'the last claim confirms the removal');
select is(pg_temp.confirm(), false, 'a confirmed claim is over');
select tests.travel('59 minutes');
select is_empty(
  'select from worker.claim_deleted_media(10)', 'a confirmed removal is not due for an hour'
);
select tests.travel('60 minutes');
delete from claims;
insert into claims select * from worker.claim_deleted_media(10);
select is(
  (select count(*) from claims), 1::bigint,
  'the objects are due once more an hour after the deletion'
);
select pg_temp.confirm();
select is_empty('select from app.deleted_media', 'the second removal deletes the record');

-- When a drama is saved again with the id of a deleted drama
select tests.sign_in((select ana from users_of));
select pg_temp.save('00000000-0000-4000-8000-000000000001');
select delete_drama('00000000-0000-4000-8000-000000000001');
select tests.sign_in((select ben from users_of));
select pg_temp.save('00000000-0000-4000-8000-000000000001');
reset role;
insert into app.drama_media values ('00000000-0000-4000-8000-000000000001', 'made.png', 1);
delete from claims;
insert into claims select * from worker.claim_deleted_media(10);
select set_eq(
  $$
    select pg_temp.removable('drama-assets/00000000-0000-4000-8000-000000000001/' || k, t)
    from (values
      ('old.png', '2020-01-01T00:00:00Z'), ('made.png', '2020-01-01T00:00:00Z'),
      ('new.png', '2100-01-01T00:00:00Z')
    ) as o (k, t)
  $$,
  array['drama-assets/00000000-0000-4000-8000-000000000001/old.png'],
  'a drama that exists again keeps objects that are newer than the deletion or made by its steps'
);

-- When a timeout is longer than an hour
update public.job_types set timeout = '2 hours' where name = 'generate_video';
select pg_temp.confirm();
select is(
  (select remove_at - deleted_at from app.deleted_media), interval '2 hours 15 minutes',
  'the second removal waits for the longest step that may still store a file'
);

-- When the owner is deleted
delete from app.deleted_media;
delete from auth.users where id = (select ben from users_of);
select results_eq(
  'select drama_id from app.deleted_media',
  $$ values ('00000000-0000-4000-8000-000000000001'::uuid) $$,
  'the deletion of a user records the removal for each drama of the user'
);
delete from graphile_worker._private_jobs;
select is(app.enqueue_media_removal(), 0, 'the schedule has one batch');
select is(
  (select count(*) from graphile_worker.jobs where task_identifier = 'remove_deleted_media'),
  1::bigint,
  'the schedule enqueues the removal of dramas that are due'
);

select * from finish();
rollback;
