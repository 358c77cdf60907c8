begin;
select plan(13);
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
create function pg_temp.record(which text) returns uuid language sql as $$
  select sidecar.record_asset(u.id, 'https://cdn.example/' || u.object_key)
  from upload as u
  where u.which = record.which
$$;
grant select on upload to public;
grant execute on function pg_temp.record(text) to public;

-- When the object of an upload is in the store
select tests.become('sidecar');
select is(
  pg_temp.record('first'), (select id from upload where which = 'first'),
  'returns the id of the upload as the id of the asset'
);
reset role;
select results_eq(
  $$
    select id, name, hash, size_byte, mime_type, file_path, object_key, status, used_at
    from public.assets
  $$,
  $$
    select id, name, hash, size_byte, mime_type, 'https://cdn.example/' || object_key, object_key,
      'live', now()
    from upload
    where which = 'first'
  $$,
  'the asset has the columns of the upload'
);
select is_empty(
  $$ select a.id from app.asset_uploads as a join upload as u on u.id = a.id and u.which = 'first' $$,
  'deletes the row of the upload'
);
select is(
  pg_temp.record('first'), (select id from upload where which = 'first'),
  'a repeated call returns the same asset'
);

-- When another upload of the same bytes was recorded first
update public.assets set status = 'orphaned', used_at = now() - interval '1 day';
select is(
  pg_temp.record('second'), (select id from upload where which = 'first'),
  'returns the asset that has the same bytes'
);
select results_eq(
  'select status, used_at from public.assets', $$ values ('live', now()) $$,
  'an orphan with the same bytes becomes live'
);
select is(
  pg_temp.record('second'), (select id from upload where which = 'first'),
  'a repeated call returns the same asset while the upload has its row'
);

-- When the worker has claimed the upload
insert into upload select 'late', r.* from pg_temp.reserve('b') as r;
update app.asset_uploads set claimed_at = now();
select throws_ok(
  $$ select pg_temp.record('late') $$,
  'PT409', 'The upload took too long and has expired.', 'refuses an upload that the worker claimed'
);
delete from app.asset_uploads;
select throws_ok(
  $$ select pg_temp.record('late') $$, 'PT409', null, 'refuses an upload that has no row'
);
update public.assets set status = 'deleting';
select throws_ok(
  $$ select pg_temp.record('first') $$,
  'PT409', null, 'refuses to repeat an upload whose asset is being deleted'
);

-- Bad input
insert into upload select 'wrong', r.* from pg_temp.reserve('c') as r;
select throws_ok(
  $$
    select sidecar.record_asset(id, 'https://cdn.example/elsewhere.gif')
    from upload
    where which = 'wrong'
  $$,
  '23514', null, 'refuses a URL that does not end with the object''s key'
);
select is(
  (select count(*) from app.asset_uploads), 1::bigint, 'an upload that is refused keeps its row'
);

select tests.become('anon');
select throws_ok(
  $$ select sidecar.record_asset(gen_random_uuid(), 'http://h/x') $$,
  '42501', null, 'anon cannot call sidecar.record_asset'
);

select * from finish();
rollback;
