-- The sums are exact after every change of every table, also after changes by hand.
begin;
select plan(9);
create function pg_temp.is_exact(stored bigint, unreferenced bigint, description text)
  returns text language sql as
$$
  select is(
    array[
      s.stored, s.unreferenced,
      s.stored - (select coalesce(sum(size_byte), 0) from public.assets) - u.bytes,
      s.unreferenced - u.bytes
        - (select coalesce(sum(size_byte), 0) from app.asset_times where not is_referenced)
    ],
    array[is_exact.stored, is_exact.unreferenced, 0, 0],
    is_exact.description
  )
  from app.sum_asset_bytes() as s
  cross join (select coalesce(sum(size_byte), 0) as bytes from app.asset_uploads) as u
$$;

-- Given assets of one byte, of which a card shows one
select tests.create_asset(format('0000000%s-0000-4000-8000-000000000000', n)::uuid)
from generate_series(1, 4) as n;
insert into public.characters (id, name, icon_asset_id)
values (gen_random_uuid(), 'n', '00000001-0000-4000-8000-000000000000');
select pg_temp.is_exact(4, 4, 'a new asset counts until the cleaner has looked at it');

select tests.travel('2 hours 1 minute');
select worker.mark_orphaned_assets(100);
select pg_temp.is_exact(4, 3, 'an asset that is shown does not count');
select app.keep_asset(hash) from public.assets where status = 'orphaned' limit 1;
select pg_temp.is_exact(4, 3, 'an orphan that is uploaded again counts');

delete from public.characters;
select tests.travel('4 hours 2 minutes');
select worker.claim_orphaned_assets(100);
select pg_temp.is_exact(4, 3, 'an asset that is being deleted counts');
select worker.mark_orphaned_assets(100);
select pg_temp.is_exact(4, 4, 'an asset that is no longer shown counts again');
select worker.forget_assets(array(select id from public.assets));
select pg_temp.is_exact(2, 2, 'a deleted asset does not count');

-- When a card shows an orphan before it is claimed
insert into public.characters (id, name, icon_asset_id)
select gen_random_uuid(), 'n', id from public.assets where status = 'orphaned' limit 1;
select tests.travel('7 hours');
select worker.claim_orphaned_assets(100);
select pg_temp.is_exact(2, 1, 'an orphan that is shown again does not count');

-- When uploads come and go
insert into app.asset_uploads (name, hash, size_byte, mime_type, object_key)
select 'file.gif', repeat('0', 64), 100, 'image/gif', 'key ' || n from generate_series(1, 3) as n;
select pg_temp.is_exact(302, 301, 'an upload in progress counts');
delete from public.characters;
delete from app.asset_uploads;
delete from public.assets;
select pg_temp.is_exact(0, 0, 'nothing counts when everything is deleted');

select * from finish();
rollback;
