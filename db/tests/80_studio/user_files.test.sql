-- The buckets of users' files, and who may do what in them.
-- scripts/local/storage/user_files.long.test.ts asks the same through the API of Storage.
begin;
select plan(16);

select results_eq(
  $$
    select b.id, b.public, b.file_size_limit, array_to_string(b.allowed_mime_types, ' ')
    from storage.buckets as b
    where b.id in ('generations', 'user_uploads')
    order by b.id
  $$,
  $$
    values
      ('generations', true, null::bigint, 'image/jpeg image/png image/webp'),
      (
        'user_uploads', false, 20971520::bigint,
        'image/jpeg image/png image/webp image/heic image/heif'
      )
  $$,
  'user_uploads is private and takes photos of 20 MiB; generations is public by URL'
);

-- Given photos and results of two users, and a completed generation of Ana
create temporary table users_of as
select tests.create_user('ana@example.com') as ana, tests.create_user('ben@example.com') as ben;
grant select on users_of to public;
insert into storage.objects (bucket_id, name)
select b, u || '/1.png'
from users_of, unnest(array[ana, ben]) as u, unnest(array['user_uploads', 'generations']) as b;
create temporary table completed as
with made as (
  insert into public.generations (
    user_id, tool_key, kind, status, tool_parameters, url, credits, completed_at
  )
  select ana, 'paint', 'image', 'completed', '{}', 'https://x.test/1.png', 1, now() from users_of
  returning id, user_id
),
file as (
  insert into app.generation_files (user_id, generation_id, created_at)
  select m.user_id, m.id, now() from made as m
  returning user_id, file_id
)
select f.user_id || '/' || f.file_id || '.png' as name from file as f;
grant select on completed to public;
insert into storage.objects (bucket_id, name) select 'generations', name from completed;
create function pg_temp.put(bucket text, name text) returns void language sql as
  $$ insert into storage.objects (bucket_id, name) values (bucket, name) $$;
grant execute on all functions in schema pg_temp to public;

-- When Ana is signed in
select tests.sign_in((select ana from users_of));
select results_eq(
  'select bucket_id, name from storage.objects order by bucket_id',
  $$
    select 'generations', name from completed
    union all
    select 'user_uploads', ana || '/1.png' from users_of
  $$,
  'a user sees only the own photos, and the images of the own completed generations'
);
select lives_ok(
  $$ select pg_temp.put('user_uploads', ana || '/2.png') from users_of $$,
  'a user uploads to their own folder'
);
select throws_ok(
  format('select pg_temp.put(%L, %L)', bucket, name),
  '42501', null, format('a user does not upload to %s/%s', bucket, what)
)
from users_of
cross join lateral (
  values
    ('user_uploads', ben || '/2.png', 'the folder of another user'),
    ('user_uploads', ana::text, 'no folder'),
    ('user_uploads', 'x/' || ana || '/2.png', 'a folder in a folder'),
    ('user_uploads', upper(ana::text) || '/2.png', 'a folder of another spelling'),
    ('generations', ana || '/2.png', 'the own folder')
) as t (bucket, name, what);
select is_empty(
  $$
    update storage.objects set name = ana || '/stolen.png'
    from users_of
    where name = ben || '/1.png'
    returning name
  $$,
  'a user does not move the photo of another user'
);
select throws_ok(
  $$
    update storage.objects set name = ben || '/3.png' from users_of where name = ana || '/2.png'
  $$,
  '42501', null, 'a user moves no photo to the folder of another user'
);
select throws_ok(
  $$
    update storage.objects set bucket_id = 'generations' from users_of where name = ana || '/2.png'
  $$,
  '42501', null, 'a user moves no photo to the bucket of results'
);
select is_empty(
  $$
    update storage.objects set metadata = '{}' where bucket_id = 'generations' returning name
  $$,
  'a user cannot change a result'
);

-- When Ana's account is deleted, and her token is still valid
reset role;
create temporary table names as
select ana || '/4.png' as name, ana || '/2.png' as old from users_of;
grant select on names to public;
delete from auth.users where id = (select ana from users_of);
select tests.sign_in((select ana from users_of));
select throws_ok(
  $$ select pg_temp.put('user_uploads', name) from names $$,
  '42501', null, 'a deleted user uploads nothing'
);
select throws_ok(
  $$ update storage.objects set metadata = '{}' where name = (select old from names) $$,
  '42501', null, 'a deleted user changes no photo'
);

-- When nobody is signed in
select tests.become('anon');
select is_empty('select from storage.objects', 'anonymous callers see nothing');
select throws_ok(
  $$ select pg_temp.put('user_uploads', 'x/1.png') $$,
  '42501', null, 'anonymous callers upload nothing'
);

select * from finish();
rollback;
