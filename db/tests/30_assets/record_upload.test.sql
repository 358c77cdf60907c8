begin;
select plan(16);
create function pg_temp.reserve(bytes text) returns setof app.asset_uploads language plpgsql as $$
declare
  v_upload_id uuid;
begin
  select r.id into v_upload_id
  from sidecar.reserve_upload(
    null, 1, encode(sha256(reserve.bytes::bytea), 'hex'), 9, 7, 'image/gif', null
  ) as r;
  return query select * from app.asset_uploads as u where u.id = v_upload_id;
end
$$;
create temporary table upload as select 'first' as which, r.* from pg_temp.reserve('a') as r;
insert into upload select 'second', r.* from pg_temp.reserve('a') as r;
create function pg_temp.record(which text) returns uuid language sql as $$
  select r.id
  from upload as u
  cross join lateral sidecar.record_upload(u.id, 'https://cdn.example/' || u.object_key) as r
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
    select a.id, name, hash, a.size_byte, mime_type, file_path, object_key, a.status, t.used_at,
      t.status, t.status_at, t.created_at, t.size_byte, t.is_referenced
    from public.assets as a
    join app.asset_times as t on t.asset_id = a.id
  $$,
  $$
    select id, name, hash, size_byte, mime_type, 'https://cdn.example/' || object_key, object_key,
      'live', now(), 'live', now(), now(), 7, false
    from upload
    where which = 'first'
  $$,
  'the asset has the columns of the upload'
);
select is_empty(
  $$
    select a.id from app.asset_uploads as a join upload as u on u.id = a.id and u.which = 'first'
  $$,
  'deletes the row of the upload'
);
select is(
  pg_temp.record('first'), (select id from upload where which = 'first'),
  'a repeated call returns the same asset'
);
select results_eq(
  $$
    select r.url from upload as u
    cross join lateral sidecar.record_upload(u.id, 'https://cdn.example/' || u.object_key) as r
    where u.which = 'first'
  $$,
  $$ select 'https://cdn.example/' || object_key from upload where which = 'first' $$,
  'returns the URL of the asset'
);
select results_eq(
  'select * from app.sum_asset_bytes()', $$ values (14::bigint, 14::bigint) $$,
  'counts the bytes of upload and asset once'
);

-- When another upload of the same bytes was recorded first
update public.assets set status = 'orphaned';
update app.asset_times set used_at = now() - interval '1 day';
select is(
  pg_temp.record('second'), (select id from upload where which = 'first'),
  'returns the asset that has the same bytes'
);
select results_eq(
  'select status, used_at from app.asset_times', $$ values ('live', now()) $$,
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
    select sidecar.record_upload(id, 'https://cdn.example/elsewhere.gif')
    from upload
    where which = 'wrong'
  $$,
  '23514', null, 'refuses a URL that does not end with the object''s key'
);
select is(
  (select count(*) from app.asset_uploads), 1::bigint, 'an upload that is refused keeps its row'
);

-- The door of the release before
select is(
  (
    select sidecar.record_asset(id, 'https://cdn.example/' || object_key)
    from upload
    where which = 'wrong'
  ),
  (select id from upload where which = 'wrong'),
  'record_asset returns the id only'
);

select tests.become('anon');
select throws_ok(
  $$ select sidecar.record_upload(gen_random_uuid(), 'http://h/x') $$,
  '42501', null, 'anon cannot call sidecar.record_upload'
);

select * from finish();
rollback;
