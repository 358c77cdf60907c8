-- The life of an asset, from live to gone; tasks/clean_orphaned_assets.test.ts lives it with a store.
begin;
select plan(32);
create function pg_temp.add_asset(n integer) returns uuid language sql as $$
  insert into public.assets (id, name, hash, size_byte, mime_type, file_path, object_key, used_at)
  select ids.id, 'x', encode(sha256(n::text::bytea), 'hex'), 1, 'image/gif', 'http://h/' || keys.key, keys.key, app.now()
  from (select lpad(n::text, 8, '0') || '-0000-4000-8000-000000000000' as id) as texts
  cross join lateral (select texts.id::uuid as id) as ids
  cross join lateral (select format('shared-assets/%s/x.gif', ids.id) as key) as keys
  returning id
$$;
create function pg_temp.statuses() returns text language sql as
  $$ select string_agg(status, ' ' order by id) from public.assets $$;

-- Given assets of which a card, a scenario, a session show one each, in each way there is
select pg_temp.add_asset(n) from generate_series(1, 7) as n;
insert into public.characters (id, name, icon_asset_id) values (gen_random_uuid(), 'n', '00000001-0000-4000-8000-000000000000');
insert into public.scenarios (id, name, icon_asset_id) values (gen_random_uuid(), 'n', '00000002-0000-4000-8000-000000000000');
insert into public.sessions (id, title, background_id, cover_id)
values ('aaaaaaaa-0000-4000-8000-000000000000', 't', '00000003-0000-4000-8000-000000000000', '00000004-0000-4000-8000-000000000000');
insert into app.session_icons (session_id, asset_id)
values ('aaaaaaaa-0000-4000-8000-000000000000', '00000005-0000-4000-8000-000000000000');

-- When the grace period is not over
select tests.travel('1 hour 59 minutes');
select is(worker.mark_orphaned_assets(100), 0, 'nothing is looked at within the grace period');
select is_empty('select * from worker.claim_orphaned_assets(100)', 'and nothing claimed');

-- When it is
select tests.travel('2 hours 1 minute');
select is(worker.mark_orphaned_assets(3), 3, 'it goes by the limit');
select is(worker.mark_orphaned_assets(100), 4, 'until nothing is left');
select is(worker.mark_orphaned_assets(100), 0, 'what was looked at waits for its turn again');
select is(pg_temp.statuses(), 'live live live live live orphaned orphaned', 'what is shown lives, what is not is orphaned');
select is_empty('select * from worker.claim_orphaned_assets(100)', 'an orphan is not deleted yet');

-- When something comes to show an orphan
insert into public.characters (id, name, icon_asset_id) values (gen_random_uuid(), 'n', '00000006-0000-4000-8000-000000000000');
select tests.travel('4 hours 2 minutes');
select tests.become('worker');
select results_eq(
  'select id, object_key from worker.claim_orphaned_assets(1)',
  $$ values ('00000007-0000-4000-8000-000000000000'::uuid, 'shared-assets/00000007-0000-4000-8000-000000000000/x.gif') $$,
  'the other one is claimed, although the limit was reached by the one that is shown again'
);
select is_empty('select id from worker.claim_orphaned_assets(100)', 'once');
reset role;
select is(pg_temp.statuses(), 'live live live live live live deleting', 'what is shown again lives again');

-- When the worker says no more of it
select tests.travel('4 hours 11 minutes');
select is_empty('select id from worker.claim_orphaned_assets(100)', 'it has ten minutes');
select tests.travel('4 hours 13 minutes');
select is((select count(*) from worker.claim_orphaned_assets(100)), 1::bigint, 'then it comes again');

-- When it says that the object is gone
select is(worker.forget_assets(array(select id from public.assets)), 1, 'only what is being deleted can be forgotten');
select is(worker.forget_assets(array(select id from public.assets)), 0, 'once');
select is(worker.forget_assets('{}'), 0, 'nothing is forgotten of nothing');
select is(pg_temp.statuses(), 'live live live live live live', 'it is gone');

-- When what shows them goes
delete from app.session_icons;
delete from public.sessions;
delete from public.scenarios;
delete from public.characters;
select tests.travel('10 hours');
select is(worker.mark_orphaned_assets(100), 6, 'they are looked at');
select is(pg_temp.statuses(), 'orphaned orphaned orphaned orphaned orphaned orphaned', 'and orphaned');
select is(app.keep_asset(hash), id, 'uploading its bytes again') from public.assets where id = '00000001-0000-4000-8000-000000000000';
select is(pg_temp.statuses(), 'live orphaned orphaned orphaned orphaned orphaned', 'brings an orphan back');
select tests.travel('13 hours');
select is((select count(*) from worker.claim_orphaned_assets(2)), 2::bigint, 'a claim goes by its limit');
select is(pg_temp.statuses(), 'live deleting deleting orphaned orphaned orphaned', 'and lets the others be orphans');
select is(app.keep_asset(hash), null, 'what is being deleted is brought back by nobody') from public.assets where status = 'deleting' limit 1;

-- Given uploads that broke
insert into app.asset_uploads (id, name, hash, size_byte, mime_type, object_key, started_at)
select gen_random_uuid(), 'x', repeat('0', 64), 1, 'image/gif', 'key ' || n, app.now() from generate_series(1, 3) as n;
select is((select count(*) from worker.claim_orphaned_assets(100)), 3::bigint, 'an upload under way is left alone');
select tests.travel('16 hours');
select is((select count(*) from worker.claim_orphaned_assets(4)), 4::bigint, 'after the grace period it is claimed, assets and uploads together up to the limit');
select is((select count(*) from app.asset_uploads where claimed_at is null), 3::bigint, 'assets first');
select is((select count(*) from worker.claim_orphaned_assets(100)), 4::bigint, 'then the rest');
select is((select count(*) from worker.claim_orphaned_assets(100)), 0::bigint, 'once');
update app.asset_uploads set claimed_at = null where object_key = 'key 1';
select is(worker.forget_assets(array(select id from app.asset_uploads)), 2, 'only a claimed upload can be forgotten');

-- And only the worker does all that
select tests.become('anon');
select throws_ok('select worker.mark_orphaned_assets(1)', '42501', null, 'a client cannot mark');
select throws_ok('select * from worker.claim_orphaned_assets(1)', '42501', null, 'nor claim');
select throws_ok($$ select worker.forget_assets('{}') $$, '42501', null, 'nor forget');

select * from finish();
rollback;
