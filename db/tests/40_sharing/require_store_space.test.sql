-- The bytes of all callers together have a limit.
begin;
select plan(12);
create function pg_temp.counted() returns bigint language sql
return (select coalesce(sum(bytes), 0) from app.anonymous_bytes where expires_at > app.now());

-- Given an empty store, at the beginning of a period of ten minutes
select tests.travel(date_bin('10 minutes', now() + interval '10 minutes', 'epoch') - now());
update app.settings set anonymous_bytes_max = 10000, share_writes_per_minute = 1000000;
select tests.become('anon');

-- When strangers store bytes
insert into public.characters (id, name)
values ('c0000000-0000-4000-8000-000000000001', repeat('x', 976));
reset role;
select is(pg_temp.counted(), 2000::bigint, 'counts a row as its bytes and a KiB');
select tests.become('anon');
select public.share_flow(
  json_build_object('name', 'n', 'nodes', '[]'::json, 'edges', '[]'::json, 'x', repeat('x', 1000)),
  'd0000000-0000-4000-8000-000000000001'
);
reset role;
create temporary table package as
select octet_length(
  public.get_shared_resource('d0000000-0000-4000-8000-000000000001')::text
)::bigint as bytes;
select is(
  pg_temp.counted(), (select 2000 + bytes from package),
  'counts the package of an unlisted flow once'
);
select tests.become('service_role');
select public.share_flow('{"name": "n", "nodes": [], "edges": []}', gen_random_uuid());
reset role;
select is(
  pg_temp.counted(), (select 2000 + bytes from package), 'does not count the bytes of service_role'
);
select is(
  (select count(*) from app.anonymous_bytes), 1::bigint,
  'one transaction after another counts in one row'
);
select tests.become('anon');
insert into public.shared_resources (resource_type, resource_id)
values ('card_character', 'c0000000-0000-4000-8000-000000000001');
reset role;
select cmp_ok(
  pg_temp.counted(), '>', (select 2000 + bytes + 2 * 2000 from package),
  'counts the package of a shared row, and the row once more'
);

create temporary table before as select pg_temp.counted() as bytes;
select tests.become('anon');
select public.share_card(
  '{"data": {"name": "n"}}', share_id => 'd0000000-0000-4000-8000-000000000002'
);
reset role;
select is(
  pg_temp.counted() - (select bytes from before),
  2 * octet_length(
    public.get_shared_resource('d0000000-0000-4000-8000-000000000002')::text
  )::bigint,
  'counts a shared card twice, as a row and as a package'
);

-- When the store is full
select tests.become('anon');
select set_config('request.headers', '{"content-length": "3000"}', true);
select throws_like(
  $$ insert into public.characters (id, name) values (gen_random_uuid(), '') $$,
  '%store_full%', 'refuses a direct insert for which the store has no space'
);
select throws_like(
  $$ select public.share_flow('{"name": "n", "nodes": [], "edges": []}', gen_random_uuid()) $$,
  '%Try again in 4200 s%', 'refuses a share, and says when the oldest bytes expire'
);
select set_config('request.headers', '{"content-length": "100"}', true);
select lives_ok(
  $$ insert into public.characters (id, name)
    values (gen_random_uuid(), '') $$, 'accepts a body for which there is space'
);
select set_config('request.headers', '{"content-length": "9000"}', true);
select tests.become('service_role');
select lives_ok(
  $$ select public.share_flow('{"name": "n", "nodes": [], "edges": []}', gen_random_uuid()) $$,
  'service_role shares while the store is full'
);

-- When the bytes have expired
reset role;
select tests.travel('81 minutes');
select tests.become('anon');
select lives_ok(
  $$ insert into public.characters (id, name)
    values (gen_random_uuid(), '') $$, 'accepts bytes again an hour later'
);
reset role;
select tests.travel('152 minutes');
select app.delete_expired_shares();
select is_empty('select from app.anonymous_bytes', 'the cleanup deletes rows that no longer count');

select * from finish();
rollback;
