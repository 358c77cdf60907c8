-- The door of the release before sidecar.reserve_upload.
begin;
select plan(4);

create temporary table reserved (asset_id uuid, object_key text);
grant insert on reserved to public;
select tests.become('sidecar');
insert into reserved
select * from sidecar.reserve_asset('My Icon.PNG', repeat('a', 64), 1000, 'image/webp');
reset role;
select results_eq(
  'select id, name, object_key from app.asset_uploads',
  $$
    select asset_id, 'file.webp', format('shared-assets/%s/file.webp', asset_id) from reserved
  $$,
  'reserves an upload, and ignores the name'
);
select throws_ok(
  $$ select sidecar.reserve_asset('', '', 2147483648, '') $$,
  'PT413', null, 'refuses the size that old sidecars send to get the refusal'
);
select is_empty('select key from app.rate_limits', 'counts nothing into any rate');

select tests.become('anon');
select throws_ok(
  $$ select sidecar.reserve_asset('x', 'h', 1, 'image/png') $$,
  '42501', null, 'anon cannot call sidecar.reserve_asset'
);

select * from finish();
rollback;
