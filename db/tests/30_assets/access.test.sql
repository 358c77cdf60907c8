-- Who may see an asset: whoever may see what shows it.
begin;
select plan(6);
insert into public.assets (id, name, hash, size_byte, mime_type, file_path, object_key)
select id::uuid, 'x', encode(sha256(id::bytea), 'hex'), 1, 'image/gif', format('http://h/shared-assets/%s/x.gif', id), format('shared-assets/%s/x.gif', id)
from (values ('aaaaaaaa-0000-4000-8000-000000000001'), ('aaaaaaaa-0000-4000-8000-000000000002')) as new (id);
insert into public.characters (id, name, icon_asset_id)
values ('bbbbbbbb-0000-4000-8000-000000000001', 'n', 'aaaaaaaa-0000-4000-8000-000000000001');

select tests.become('anon');
select is_empty('select id from public.assets', 'nobody sees the asset of what is not shared');
select throws_ok(
  $$ insert into public.assets (id, name, hash, size_byte, mime_type, file_path, object_key) values (gen_random_uuid(), 'x', 'h', 1, 'm', 'p', 'k') $$,
  '42501', null, 'nobody makes one through the API'
);
select throws_ok($$ update public.assets set file_path = 'http://evil' $$, '42501', null, 'or changes one');
select throws_ok('delete from public.assets', '42501', null, 'or deletes one');
select throws_ok('select * from app.asset_uploads', '42501', null, 'or sees uploads under way');
select tests.become('service_role');
select is((select count(*) from public.assets), 2::bigint, 'the service sees all of them');

select * from finish();
rollback;
