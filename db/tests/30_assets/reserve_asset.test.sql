begin;
select plan(17);
update app.settings set asset_max_bytes = 1000;
create function pg_temp.hash(bytes text) returns text language sql as
  $$ select encode(sha256(bytes::bytea), 'hex') $$;
create temporary table reserved (n integer, asset_id uuid, object_key text);
grant all on reserved to public;
grant execute on function pg_temp.hash(text) to public;

-- Given bytes that nobody has uploaded
select tests.become('sidecar');
insert into reserved
select 1, * from sidecar.reserve_asset('My Icon.PNG', pg_temp.hash('a'), 1000, 'image/webp');
reset role;
select results_eq(
  $$
    select id, name, hash, size_byte, mime_type, object_key, started_at
    from app.asset_uploads
  $$,
  $$
    select asset_id, 'My Icon.PNG', pg_temp.hash('a'), 1000, 'image/webp',
      format('shared-assets/%s/My-Icon.webp', asset_id), now()
    from reserved
  $$,
  'inserts an upload with a key of its own'
);
select is_empty('select id from public.assets', 'inserts no asset before the object is stored');
select tests.become('sidecar');
insert into reserved
select 2, * from sidecar.reserve_asset('My Icon.PNG', pg_temp.hash('a'), 1000, 'image/webp');
reset role;
select is(count(distinct asset_id), 2::bigint, 'a second upload of the same bytes gets another key')
from reserved;

-- Given bytes that are an asset
select is(
  sidecar.record_asset(asset_id, 'http://h/' || object_key), asset_id,
  'given: the first upload becomes an asset'
)
from reserved
where n = 1;
update public.assets set used_at = now() - interval '1 day', status = 'orphaned';
select results_eq(
  $$
    select asset_id, object_key
    from sidecar.reserve_asset('other', pg_temp.hash('a'), 1000, 'image/webp')
  $$,
  $$ select asset_id, null::text from reserved where n = 1 $$,
  'returns the asset with the same bytes, and no key'
);
select results_eq(
  'select status, used_at, status_at from public.assets', $$ values ('live', now(), now()) $$,
  'an orphan with the same bytes becomes live'
);

-- Given bytes of an asset that is being deleted
update public.assets set status = 'deleting';
select isnt(
  (select asset_id from sidecar.reserve_asset('x', pg_temp.hash('a'), 1000, 'image/webp')),
  (select asset_id from reserved where n = 1),
  'an asset that is being deleted counts as absent'
);
select results_eq(
  'select status from public.assets', $$ values ('deleting') $$,
  'an asset that is being deleted stays deleting'
);

-- Bad input
select throws_ok(
  $$ select sidecar.reserve_asset('x', 'h', 1001, 'image/png') $$,
  'PT413', 'The file has more than 1000 bytes.', 'refuses a file that has a byte too many'
);
select throws_ok(
  $$ select sidecar.reserve_asset('', '', 2147483648, '') $$,
  'PT413', null, 'refuses the size that sidecars of the last release send to get the refusal'
);
select throws_ok(
  $$ select sidecar.reserve_asset('x', 'h', 0, 'image/png') $$,
  'PT422', 'The file is empty.', 'refuses an empty file'
);
select throws_ok(
  $$ select sidecar.reserve_asset('x', 'h', 1, 'image/svg+xml') $$,
  'PT415', null, 'refuses a type that is not in asset_types'
);
select throws_ok(
  $$ select sidecar.reserve_asset('x', 'h', 1, null) $$, 'PT415', null, 'refuses an unknown type'
);
insert into app.asset_types values ('image/bmp', 'bmp');
select matches(
  (select object_key from sidecar.reserve_asset(null, pg_temp.hash('b'), 1, 'image/bmp')),
  '/file\.bmp$',
  'accepts a type that an operator adds, and a file without a name'
);
select lives_ok(
  $$ select sidecar.reserve_asset(repeat('😀', 5000), pg_temp.hash('c'), 1, 'image/png') $$,
  'accepts a name of any length'
);
select is(
  (select name from app.asset_uploads where hash = pg_temp.hash('c')), repeat('😀', 60),
  'shortens a name between two characters'
);

select tests.become('authenticated');
select throws_ok(
  $$ select sidecar.reserve_asset('x', 'h', 1, 'image/png') $$,
  '42501', null, 'authenticated cannot call sidecar.reserve_asset'
);

select * from finish();
rollback;
