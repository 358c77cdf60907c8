-- The icons inside the cards of a session, and its background and cover.
begin;
select plan(9);
select tests.create_asset(format('a000000%s-0000-4000-8000-000000000000', n)::uuid)
from generate_series(1, 3) as n;

-- When anon inserts a session
select tests.become('anon');
insert into public.sessions (id, title, all_cards, background_id, cover_id)
values (
  'c0000000-0000-4000-8000-000000000003',
  'Evening',
  '[
    {"icon_asset_id": "a0000003-0000-4000-8000-000000000000"},
    {"icon_asset_id": "a0000003-0000-4000-8000-000000000000"}, {"icon_asset_id": null}, {}
  ]',
  'a0000002-0000-4000-8000-000000000000',
  'a0000001-0000-4000-8000-000000000000'
);
reset role;
select results_eq(
  'select asset_id::text from app.session_icons',
  array['a0000003-0000-4000-8000-000000000000'],
  'records each icon of a session once'
);
select set_eq(
  $$
    select left(shown.id::text, 8)
    from unnest(app.find_shown_assets(array(select a.id from public.assets as a))) as shown (id)
  $$,
  array['a0000001', 'a0000002', 'a0000003'],
  'a session shows its icons, its background and its cover'
);

-- When an asset is being deleted
update public.assets set status = 'deleting' where id = 'a0000001-0000-4000-8000-000000000000';
select tests.become('anon');
select throws_ok(
  $$
    insert into public.sessions (id, all_cards)
    values (gen_random_uuid(), '[{"icon_asset_id": "a0000001-0000-4000-8000-000000000000"}]')
  $$,
  'PT422', null, 'refuses an icon that is being deleted'
);
select throws_ok(
  $$
    insert into public.sessions (id, all_cards)
    values (gen_random_uuid(), '[{"icon\u005fasset_id": "a0000001-0000-4000-8000-000000000000"}]')
  $$,
  'PT422', null, 'refuses the icon also if the name of the field is escaped'
);
select throws_ok(
  $$ insert into public.sessions (id, cover_id)
    values (gen_random_uuid(), 'a0000001-0000-4000-8000-000000000000') $$,
  'PT422', null, 'refuses a cover that is being deleted'
);

-- Bad input
select throws_ok(
  $$ insert into public.sessions (id, all_cards)
    values (gen_random_uuid(), '[{"icon_asset_id": "x"}]') $$,
  'PT422', 'all_cards.0.icon_asset_id must be a UUID or null.',
  'refuses an icon that is not a UUID'
);
select throws_ok(
  $$ insert into public.sessions (id, all_cards) values (gen_random_uuid(), '[{}, 5]') $$,
  'PT422', 'all_cards.1 must be an object.', 'refuses a card that is not an object'
);
select throws_ok(
  $$
    insert into public.sessions (id, all_cards)
    select gen_random_uuid(), json_agg('{}'::json) from generate_series(1, 1001)
  $$,
  'PT422', 'all_cards may have at most 1000 cards.', 'refuses more cards than a session may have'
);

-- When the session is deleted
reset role;
delete from public.sessions;
select is_empty('select from app.session_icons', 'a deleted session shows no icons');

select * from finish();
rollback;
