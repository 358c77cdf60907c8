-- A card cannot show an asset that the worker is deleting.
begin;
select plan(4);

-- Given an asset that is being deleted, and an orphan
select tests.create_asset('a0000001-0000-4000-8000-000000000000');
select tests.create_asset('a0000002-0000-4000-8000-000000000000');
update public.assets set status = 'deleting' where id = 'a0000001-0000-4000-8000-000000000000';
update public.assets set status = 'orphaned' where id = 'a0000002-0000-4000-8000-000000000000';

select tests.become('anon');
select throws_ok(
  $$
    insert into public.characters (id, name, icon_asset_id)
    values (gen_random_uuid(), 'x', 'a0000001-0000-4000-8000-000000000000')
  $$,
  'PT422', 'Asset a0000001-0000-4000-8000-000000000000 not found.',
  'refuses a character whose icon is being deleted'
);
select throws_ok(
  $$
    insert into public.scenarios (id, name, icon_asset_id)
    values (gen_random_uuid(), 'x', 'a0000001-0000-4000-8000-000000000000')
  $$,
  'PT422', null, 'refuses a scenario whose icon is being deleted'
);
select lives_ok(
  $$
    insert into public.scenarios (id, name, icon_asset_id)
    values (gen_random_uuid(), 'x', 'a0000002-0000-4000-8000-000000000000')
  $$,
  'accepts an orphan as an icon'
);
select lives_ok(
  $$ insert into public.characters (id, name)
    values (gen_random_uuid(), 'x') $$, 'accepts a card without an icon'
);

select * from finish();
rollback;
