-- The second step of an asset's end: orphaned to deleting.
-- worker/tasks/clean_orphaned_assets.test.ts does the same with a store.
begin;
select plan(22);
create function pg_temp.statuses() returns text language sql as
  $$ select string_agg(status, ' ' order by id) from public.assets $$;

-- Given two orphans
select tests.create_asset(format('0000000%s-0000-4000-8000-000000000000', n)::uuid)
from generate_series(6, 7) as n;
select tests.travel('2 hours 1 minute');
select is(worker.mark_orphaned_assets(100), 2, 'given: two assets are marked as orphaned');
select is_empty(
  'select * from worker.claim_orphaned_assets(100)', 'claims no orphan within the grace period'
);

-- When a card shows one of them after all
insert into public.characters (id, name, icon_asset_id)
values (gen_random_uuid(), 'n', '00000006-0000-4000-8000-000000000000');
select tests.travel('4 hours 2 minutes');
select tests.become('worker');
select results_eq(
  'select id, object_key from worker.claim_orphaned_assets(1)',
  $$
    values (
      '00000007-0000-4000-8000-000000000000'::uuid,
      'shared-assets/00000007-0000-4000-8000-000000000000/f.png'
    )
  $$,
  'claims the orphan behind one that is shown again, even at a limit of 1'
);
select is_empty('select id from worker.claim_orphaned_assets(100)', 'claims an orphan once');
reset role;
select is(pg_temp.statuses(), 'live deleting', 'an orphan that is shown again becomes live');

-- When the worker does not confirm the deletion
select tests.travel('4 hours 11 minutes');
select is_empty(
  'select id from worker.claim_orphaned_assets(100)', 'leaves the worker ten minutes to delete'
);
select tests.travel('4 hours 13 minutes');
select is(
  (select count(*) from worker.claim_orphaned_assets(100)), 1::bigint,
  'claims an asset again after ten minutes'
);

-- When bytes of orphans are uploaded again
delete from public.characters;
delete from public.assets;
select tests.create_asset(format('0000000%s-0000-4000-8000-000000000000', n)::uuid)
from generate_series(1, 6) as n;
select tests.travel('7 hours');
select is(worker.mark_orphaned_assets(100), 6, 'given: six assets are marked as orphaned');
select is(app.keep_asset(hash), id, 'uploading the bytes of an orphan returns its id')
from public.assets
where id = '00000001-0000-4000-8000-000000000000';
select is(
  pg_temp.statuses(), 'live orphaned orphaned orphaned orphaned orphaned',
  'uploading the bytes of an orphan makes it live'
);
select tests.travel('10 hours');
select is(
  (select count(*) from worker.claim_orphaned_assets(2)), 2::bigint, 'claims at most limit orphans'
);
select is(
  pg_temp.statuses(), 'live deleting deleting orphaned orphaned orphaned',
  'leaves the other orphans as they are'
);
select is(app.keep_asset(hash), null, 'no upload revives an asset that is being deleted')
from public.assets
where status = 'deleting'
limit 1;

-- Given three uploads that broke
insert into app.asset_uploads (id, name, hash, size_byte, mime_type, object_key, started_at)
select gen_random_uuid(), 'x', repeat('0', 64), 1, 'image/gif', 'key ' || n, app.now()
from generate_series(1, 3) as n;
select is(
  (select count(*) from worker.claim_orphaned_assets(100)), 3::bigint,
  'claims no upload within the grace period'
);
select tests.travel('13 hours');
select is(
  (select count(*) from worker.claim_orphaned_assets(4)), 4::bigint,
  'claims assets and uploads up to limit together'
);
select is(
  (select count(*) from app.asset_uploads where claimed_at is null), 3::bigint,
  'claims assets before uploads'
);
select is(
  (select count(*) from worker.claim_orphaned_assets(100)), 4::bigint,
  'claims the uploads in the next call'
);
select is(
  (select count(*) from worker.claim_orphaned_assets(100)), 0::bigint, 'claims an upload once'
);
select is(
  (select count(*) from app.asset_uploads where claimed_at = app.now()), 3::bigint,
  'records the time of the claim'
);

-- When a table that this module does not know refers to an orphan
delete from app.asset_uploads;
delete from public.assets;
select tests.create_asset('00000008-0000-4000-8000-000000000000');
update public.assets set status = 'orphaned';
update app.asset_times set status_at = app.now() - interval '1 day';
create table public.posters (asset_id uuid references public.assets (id));
insert into public.posters values ('00000008-0000-4000-8000-000000000000');
select is_empty(
  'select id from worker.claim_orphaned_assets(100)',
  'claims no orphan that a new table refers to'
);
select is(pg_temp.statuses(), 'live', 'an orphan that a new table refers to becomes live');

select tests.become('anon');
select throws_ok(
  'select * from worker.claim_orphaned_assets(1)', '42501', null,
  'anon cannot call worker.claim_orphaned_assets'
);

select * from finish();
rollback;
