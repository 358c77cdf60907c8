begin;
select plan(28);
update app.settings
set asset_max_bytes = 1000000, asset_uploads_per_minute = 10, unreferenced_bytes_max = 2000000;
create function pg_temp.hash(bytes text) returns text language sql as
  $$ select encode(sha256(bytes::bytea), 'hex') $$;
create function pg_temp.reserve(
  bytes text, caller text, units integer default 1, size bigint default 1000,
  mime_type text default 'image/webp', pixels bigint default null
)
  returns table (id uuid, object_key text, url text) language sql as
$$
  select *
  from sidecar.reserve_upload(caller, units, pg_temp.hash(bytes), size, size, mime_type, pixels)
$$;
create temporary table reserved (n integer, id uuid, object_key text, url text);
create function pg_temp.spent(caller text) returns numeric language sql as
$$
  select round(extract(epoch from r.spent_until - app.clock()) / 6)
  from app.rate_limits as r
  where r.key = caller
$$;
grant all on reserved to public;
grant execute on all functions in schema pg_temp to public;

-- Given bytes that nobody has uploaded
select tests.become('sidecar');
insert into reserved select 1, * from pg_temp.reserve('a', 'ana');
reset role;
select results_eq(
  $$
    select id, name, hash, size_byte, mime_type, object_key, started_at
    from app.asset_uploads
  $$,
  $$
    select id, 'file.webp', pg_temp.hash('a'), 1000, 'image/webp',
      format('shared-assets/%s/file.webp', id), now()
    from reserved
  $$,
  'inserts an upload with a key of its own, in which only the type is told'
);
select is_empty('select id from public.assets', 'inserts no asset before the object is stored');
select is((app.sum_asset_bytes()).unreferenced, 1000::bigint, 'counts the bytes of the upload');
insert into reserved select 2, * from pg_temp.reserve('a', 'ana');
select is(count(distinct id), 2::bigint, 'a second upload of the same bytes gets another key')
from reserved;

-- Given bytes that are an asset
select is(
  (sidecar.record_upload(id, 'http://h/' || object_key)).id, id,
  'given: the first upload becomes an asset'
)
from reserved
where n = 1;
update public.assets set status = 'orphaned';
update app.asset_times set used_at = now() - interval '1 day', status_at = now() - interval '1 day';
select results_eq(
  $$ select id, object_key, url from pg_temp.reserve('a', 'ben') $$,
  $$ select id, null::text, 'http://h/' || object_key from reserved where n = 1 $$,
  'returns the asset with the same bytes, its URL, and no key'
);
select results_eq(
  'select status, used_at, status_at from app.asset_times', $$ values ('live', now(), now()) $$,
  'an orphan with the same bytes becomes live'
);

-- Given bytes of an asset that is being deleted
update public.assets set status = 'deleting';
select isnt(
  (select id from pg_temp.reserve('a', 'ana')), (select id from reserved where n = 1),
  'an asset that is being deleted counts as absent'
);
select results_eq(
  'select status from public.assets', $$ values ('deleting') $$,
  'an asset that is being deleted stays deleting'
);

-- When a file costs more or less than the client has announced
select is(pg_temp.spent('ana'), null, 'a file of one unit costs nothing on top of its request');
select count(*) from sidecar.start_upload('cid', 300000);
select count(*) from pg_temp.reserve('c', 'cid', 2, 300000);
select is(pg_temp.spent('cid'), 2::numeric, 'a file that is as long as announced costs no more');
select count(*) from pg_temp.reserve('d', 'cid', 1, 600000);
select is(pg_temp.spent('cid'), 4::numeric, 'a file that is longer than announced costs the rest');
update public.assets set status = 'live';
select count(*) from sidecar.start_upload('cid', 600000);
select is(pg_temp.spent('cid'), 7::numeric, 'given: a known file is announced');
select count(*) from pg_temp.reserve('a', 'cid', 3, 600000);
select is(pg_temp.spent('cid'), 5::numeric, 'known bytes cost no more than one unit');
select throws_ok(
  $$ select pg_temp.reserve('e', 'cid', 1, 999999), pg_temp.reserve('f', 'cid', 1, 999999) $$,
  'PGRST', null, 'refuses a file that its caller has no units left for'
);
select lives_ok(
  $$ select pg_temp.reserve('e', null, 1, 999999) $$, 'counts nothing without a caller'
);

-- When the bytes that nothing refers to reach their limit
select is((app.sum_asset_bytes()).unreferenced, 1902999::bigint, 'given: the store is almost full');
select throws_ok(
  $$ select pg_temp.reserve('g', 'dan', 1, 100000) $$,
  'PGRST', null, 'refuses bytes beyond the limit'
);
select lives_ok(
  $$ select pg_temp.reserve('g', 'dan', 1, 90000) $$, 'accepts bytes up to the limit'
);
select is(
  (select id from pg_temp.reserve('a', 'dan', 1, 1000)), (select id from reserved where n = 1),
  'accepts known bytes although the store is full'
);
update app.settings set unreferenced_bytes_max = 1000000000, asset_bytes_max = 2000000;
select throws_ok(
  $$ select pg_temp.reserve('h', 'dan', 1, 10000) $$,
  'PGRST', null, 'refuses bytes beyond the limit of all files'
);
update app.settings set asset_bytes_max = 1000000000;

-- Bad input
select throws_ok(
  $$ select pg_temp.reserve('x', 'ana', 1, 1000001) $$,
  'PT413', 'The file has more than 1000000 bytes.', 'refuses a file that has a byte too many'
);
select throws_ok(
  $$ select pg_temp.reserve('x', 'ana', 1, 0) $$,
  'PT422', 'The file is empty.', 'refuses an empty file'
);
select throws_ok(
  $$ select pg_temp.reserve('x', 'ana', 1, 1, 'image/svg+xml') $$,
  'PT415', null, 'refuses a type that is not in asset_types'
);
select throws_ok(
  $$ select pg_temp.reserve('x', 'ana', 1, 1, null) $$, 'PT415', null, 'refuses an unknown type'
);
select throws_ok(
  $$ select pg_temp.reserve('x', 'ana', 1, 1, 'image/png', 100000001) $$,
  'PT422', 'The picture has 100000001 pixels; 100000000 are allowed.',
  'refuses a picture that has a pixel too many'
);
insert into app.asset_types values ('image/bmp', 'bmp');
select matches(
  (select object_key from pg_temp.reserve('x', 'ana', 1, 1, 'image/bmp', 100000000)),
  '/file\.bmp$', 'accepts a type that an operator adds'
);

select tests.become('authenticated');
select throws_ok(
  $$ select sidecar.reserve_upload('x', 1, 'h', 1, 1, 'image/png', null) $$,
  '42501', null, 'authenticated cannot call sidecar.reserve_upload'
);

select * from finish();
rollback;
