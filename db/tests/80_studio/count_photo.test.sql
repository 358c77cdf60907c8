-- Limits of the photos that a user uploads per day, as Storage writes storage.objects.
-- scripts/local/storage/user_files.long.test.ts asks the same through the API of Storage.
begin;
select plan(14);

create temporary table users_of as
select tests.create_user('ana@example.com') as ana, tests.create_user('ben@example.com') as ben;
grant select on users_of to public;
update app.settings set originals_per_day = 3, original_bytes_per_day = 4194304;

-- Storage inserts the row as the user before it reads the file, and rolls back.
create function pg_temp.ask(file text, bytes bigint default null) returns text
language plpgsql as $$
begin
  insert into storage.objects (bucket_id, name, owner_id, version, metadata)
  values (
    'user_uploads', (select ana from users_of) || '/' || ask.file, (select ana from users_of)::text,
    '1', jsonb_strip_nulls(jsonb_build_object('contentLength', ask.bytes))
  );
  raise exception using errcode = 'P0001', message = 'rolled back';
exception
  when raise_exception then
    return 'allowed';
  when insufficient_privilege then
    return regexp_replace(sqlerrm, '\d+ s[.]$', 'N s.');
end
$$;
-- Then it stores the row as service_role.
create function pg_temp.store(file text, bytes bigint, owner text default 'ana') returns text
language plpgsql as $$
begin
  insert into storage.objects (bucket_id, name, owner_id, version, metadata)
  select
    'user_uploads', u.ana || '/' || store.file,
    case store.owner when 'ana' then u.ana::text when 'ben' then u.ben::text end,
    gen_random_uuid()::text, jsonb_build_object('size', store.bytes)
  from users_of as u
  on conflict (bucket_id, name) do update
    set metadata = excluded.metadata, version = excluded.version, owner_id = excluded.owner_id;
  return 'stored';
exception
  when insufficient_privilege then
    return regexp_replace(sqlerrm, '\d+ s[.]$', 'N s.');
end
$$;
grant execute on all functions in schema pg_temp to public;

-- When Ana asks for more uploads than the limit, and stores nothing
select tests.sign_in((select ana from users_of));
select is(
  array(select pg_temp.ask('a.jpg', 1000) from generate_series(1, 10)),
  array_fill('allowed'::text, array[10]),
  'a question whether an upload is allowed costs nothing'
);
select is(
  pg_temp.ask('a.jpg', 4194305), 'You may upload 3 photos and 4 MiB per day. Try again in N s.',
  'a file that exceeds the bytes of a day is refused before it is sent'
);

-- When she stores three photos
select tests.become('service_role');
select is(pg_temp.store('a.jpg', 1000), 'stored', 'the first photo is stored');
select is(pg_temp.store('a.jpg', 1000), 'stored', 'the photo is replaced');
select is(
  pg_temp.store('b.jpg', 4194304), 'You may upload 3 photos and 4 MiB per day. Try again in N s.',
  'a photo whose size Storage did not know before is refused when Storage knows it'
);
update storage.objects set name = replace(name, 'a.jpg', 'c.jpg'), version = 'moved';
update storage.objects set metadata = metadata || '{"lastModified": "now"}';
select is(
  pg_temp.store('b.jpg', 1000), 'stored',
  'a refused photo, a move and a change of metadata do not count, and a replaced photo counts'
);
select is(
  pg_temp.store('d.jpg', 1000), 'You may upload 3 photos and 4 MiB per day. Try again in N s.',
  'the fourth photo is refused'
);
select tests.sign_in((select ana from users_of));
select is(
  pg_temp.ask('d.jpg'), 'You may upload 3 photos and 4 MiB per day. Try again in N s.',
  'Storage learns from the first question that the limit is spent'
);
select tests.become('postgres');
select is(
  (select count(*)::integer from storage.objects where bucket_id = 'user_uploads'), 2,
  'a refused photo has no row'
);
select results_eq(
  'select r.bucket, r.key from app.rate_limits as r order by r.bucket',
  $$
    select b, 'user ' || ana from users_of, unnest(array['original_bytes', 'originals']) as b
  $$,
  'the counts belong to the user'
);

-- Then other users and the operator upload
select is(
  pg_temp.store('e.jpg', 1000, 'ben'), 'stored', 'the limit of a user does not limit others'
);
select is(
  pg_temp.store('e.jpg', 9000000, null), 'stored', 'service_role stores photos without a limit'
);
select lives_ok(
  $$
    insert into storage.objects (bucket_id, name, owner_id, metadata)
    select 'generations', ana || '/' || n || '.png', ana::text, '{"size": 9000000}'
    from users_of, generate_series(1, 9) as n
  $$,
  'other buckets have no limit'
);

-- When a day has passed
update app.rate_limits set spent_until = spent_until - interval '1 day';
select is(pg_temp.store('f.jpg', 4000000), 'stored', 'a day later the user may upload again');

select * from finish();
rollback;
