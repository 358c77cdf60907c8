begin;
select plan(5);
create temporary table upload as
select id, object_key
from sidecar.reserve_upload(null, 1, encode(sha256('a'), 'hex'), 1, 1, 'image/gif', null);
grant select on upload to public;
select tests.create_asset('aaaaaaaa-0000-4000-8000-000000000001');

select tests.become('sidecar');
select lives_ok(
  $$ select sidecar.drop_upload(id) from upload $$, 'the sidecar drops an upload without an object'
);
reset role;
select is_empty('select id from app.asset_uploads', 'deletes the row of the upload');
select lives_ok($$ select sidecar.drop_upload(id) from upload $$, 'dropping again changes nothing');
select sidecar.drop_upload('aaaaaaaa-0000-4000-8000-000000000001');
select is((select count(*) from public.assets), 1::bigint, 'deletes no asset');

select tests.become('anon');
select throws_ok(
  $$ select sidecar.drop_upload(gen_random_uuid()) $$,
  '42501', null, 'anon cannot call sidecar.drop_upload'
);

select * from finish();
rollback;
