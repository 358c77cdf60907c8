-- The roles that may select and write assets.
begin;
select plan(8);
select tests.create_asset('aaaaaaaa-0000-4000-8000-000000000001');
select tests.create_asset('aaaaaaaa-0000-4000-8000-000000000002');
insert into public.characters (id, name, icon_asset_id)
values (
  'bbbbbbbb-0000-4000-8000-000000000001', 'n', 'aaaaaaaa-0000-4000-8000-000000000001'
);

-- Given an asset that an unshared card shows, and one that nothing shows
select tests.become('anon');
select is_empty('select id from public.assets', 'anon selects no asset that no public share shows');
select throws_ok(
  $$
    insert into public.assets (id, name, hash, size_byte, mime_type, file_path, object_key)
    values (gen_random_uuid(), 'x', 'h', 1, 'm', 'p', 'k')
  $$,
  '42501', null, 'anon cannot insert an asset'
);
select throws_ok(
  $$ update public.assets set file_path = 'http://evil' $$,
  '42501', null, 'anon cannot update an asset'
);
select throws_ok('delete from public.assets', '42501', null, 'anon cannot delete an asset');
select throws_ok(
  'select * from app.asset_times', '42501', null, 'anon cannot select the times of assets'
);
select throws_ok(
  'select * from app.asset_uploads', '42501', null, 'anon cannot select uploads in progress'
);
select tests.become('service_role');
select is((select count(*) from public.assets), 2::bigint, 'service_role selects every asset');

reset role;
select columns_are(
  'public', 'assets',
  array['id', 'name', 'hash', 'size_byte', 'mime_type', 'file_path', 'object_key', 'status'],
  'assets has no column that tells who uploaded a file, and when'
);

select * from finish();
rollback;
