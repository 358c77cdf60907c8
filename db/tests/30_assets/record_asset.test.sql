begin;
select plan(17);
create function pg_temp.reserve(bytes text) returns setof app.asset_uploads language plpgsql as $$
declare
  v_asset_id uuid;
begin
  select asset_id into v_asset_id
  from sidecar.reserve_asset('x.gif', encode(sha256(reserve.bytes::bytea), 'hex'), 1, 'image/gif');
  return query select * from app.asset_uploads as u where u.id = v_asset_id;
end
$$;
create temporary table upload as select 'first' as which, r.* from pg_temp.reserve('a') as r;
insert into upload select 'second', r.* from pg_temp.reserve('a') as r;
create function pg_temp.record(which text) returns uuid language sql as
  $$ select sidecar.record_asset(u.id, 'https://cdn.example/' || u.object_key) from upload as u where u.which = record.which $$;
grant select on upload to public;
grant execute on function pg_temp.record(text) to public;

-- When its object is in the store
select tests.become('sidecar');
select is(pg_temp.record('first'), (select id from upload where which = 'first'), 'an upload becomes an asset');
reset role;
select results_eq(
  'select id, name, hash, size_byte, mime_type, file_path, object_key, status, used_at from public.assets',
  $$ select id, name, hash, size_byte, mime_type, 'https://cdn.example/' || object_key, object_key, 'live', now() from upload where which = 'first' $$,
  'with what was said of it'
);
select is_empty($$ select a.id from app.asset_uploads as a join upload as u on u.id = a.id and u.which = 'first' $$, 'and is no upload any more');
select is(pg_temp.record('first'), (select id from upload where which = 'first'), 'a repeated call gives the same');

-- When the same bytes came first by another upload
update public.assets set status = 'orphaned', used_at = now() - interval '1 day';
select is(pg_temp.record('second'), (select id from upload where which = 'first'), 'the first one counts');
select results_eq('select status, used_at from public.assets', $$ values ('live', now()) $$, 'and lives on');
select is(pg_temp.record('second'), (select id from upload where which = 'first'), 'a repeated call gives the same, while its object is there');
select tests.become('sidecar');
select lives_ok($$ select sidecar.drop_upload(id) from upload where which = 'second' $$, 'when its object is gone, the upload is dropped');
reset role;
select is_empty('select id from app.asset_uploads', 'and forgotten');
select lives_ok($$ select sidecar.drop_upload(id) from upload $$, 'dropping again changes nothing');
select is((select count(*) from public.assets), 1::bigint, 'least of all an asset');

-- When the worker has given it up
insert into upload select 'late', r.* from pg_temp.reserve('b') as r;
update app.asset_uploads set claimed_at = now();
select throws_ok($$ select pg_temp.record('late') $$, 'PT409', 'This upload took too long.', 'an upload that was given up is refused');
delete from app.asset_uploads;
select throws_ok($$ select pg_temp.record('late') $$, 'PT409', null, 'and so is one that is forgotten');
update public.assets set status = 'deleting';
select throws_ok($$ select pg_temp.record('first') $$, 'PT409', null, 'or whose asset is being deleted');

-- Bad input
insert into upload select 'wrong', r.* from pg_temp.reserve('c') as r;
select throws_ok(
  $$ select sidecar.record_asset(id, 'https://cdn.example/elsewhere.gif') from upload where which = 'wrong' $$,
  '23514', null, 'a path that is not that of its object is refused'
);

-- And only the sidecar records
select tests.become('anon');
select throws_ok($$ select sidecar.record_asset(gen_random_uuid(), 'http://h/x') $$, '42501', null, 'a client cannot record');
select throws_ok($$ select sidecar.drop_upload(gen_random_uuid()) $$, '42501', null, 'nor drop');

select * from finish();
rollback;
