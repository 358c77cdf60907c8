-- The first step of an asset's end: live to orphaned.
begin;
select plan(8);
create function pg_temp.statuses() returns text language sql as
  $$ select string_agg(status, ' ' order by id) from public.assets $$;

-- Given seven assets, of which cards and a session show five
select tests.create_asset(format('0000000%s-0000-4000-8000-000000000000', n)::uuid)
from generate_series(1, 7) as n;
insert into public.characters (id, name, icon_asset_id)
values (gen_random_uuid(), 'n', '00000001-0000-4000-8000-000000000000');
insert into public.scenarios (id, name, icon_asset_id)
values (gen_random_uuid(), 'n', '00000002-0000-4000-8000-000000000000');
insert into public.sessions (id, title, background_id, cover_id)
values (
  'aaaaaaaa-0000-4000-8000-000000000000', 't',
  '00000003-0000-4000-8000-000000000000', '00000004-0000-4000-8000-000000000000'
);
insert into app.session_icons (session_id, asset_id)
values ('aaaaaaaa-0000-4000-8000-000000000000', '00000005-0000-4000-8000-000000000000');

-- When the grace period is not over
select tests.travel('1 hour 59 minutes');
select is(worker.mark_orphaned_assets(100), 0, 'checks no asset within the grace period');

-- When the grace period is over
select tests.travel('2 hours 1 minute');
select is(worker.mark_orphaned_assets(3), 3, 'checks at most limit assets');
select is(worker.mark_orphaned_assets(100), 4, 'checks the other assets in the next call');
select is(worker.mark_orphaned_assets(100), 0, 'checks each asset once in a grace period');
select is(
  pg_temp.statuses(), 'live live live live live orphaned orphaned',
  'marks the assets that nothing shows, and leaves the shown ones live'
);

-- When the cards and the session are deleted
delete from app.session_icons;
delete from public.sessions;
delete from public.scenarios;
delete from public.characters;
delete from public.assets where id >= '00000007-0000-4000-8000-000000000000';
update public.assets set status = 'live' where status = 'orphaned';
select tests.travel('10 hours');
select is(worker.mark_orphaned_assets(100), 6, 'checks shown assets again a grace period later');
select is(
  pg_temp.statuses(), 'orphaned orphaned orphaned orphaned orphaned orphaned',
  'marks assets after everything that showed them is deleted'
);

select tests.become('anon');
select throws_ok(
  'select worker.mark_orphaned_assets(1)', '42501', null,
  'anon cannot call worker.mark_orphaned_assets'
);

select * from finish();
rollback;
