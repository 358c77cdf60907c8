-- Cards and sessions, inserted directly and shared: what triggers, policies and schedules make of them.
begin;
select plan(38);

-- Given three assets
insert into public.assets (id, name, hash, size_byte, mime_type, file_path, object_key)
select id, 'f.png', repeat(n::text, 64), 1, 'image/png', format('https://cdn/shared-assets/%s/f.png', id), format('shared-assets/%s/f.png', id)
from (select n, format('a000000%s-0000-4000-8000-000000000000', n)::uuid as id from generate_series(1, 3) as n) as made;

-- And a character, a scenario and a session, written by a stranger
select tests.become('anon');
insert into public.characters (id, name, icon_asset_id) values ('c0000000-0000-4000-8000-000000000001', 'Ana', 'a0000001-0000-4000-8000-000000000000');
insert into public.scenarios (id, name) values ('c0000000-0000-4000-8000-000000000002', 'Storm');
insert into public.sessions (id, title, all_cards, background_id)
values (
  'c0000000-0000-4000-8000-000000000003', 'Evening',
  '[{"icon_asset_id": "a0000003-0000-4000-8000-000000000000"}, {"icon_asset_id": "a0000003-0000-4000-8000-000000000000"}, {"icon_asset_id": null}, {}]',
  'a0000002-0000-4000-8000-000000000000'
);
select is_empty(
  'select id from public.characters union all select id from public.scenarios union all select id from public.sessions',
  'what is not shared cannot be read'
);
select is_empty('select id from public.assets', 'nor can what it shows');
reset role;
select results_eq(
  'select asset_id::text from app.session_icons', array['a0000003-0000-4000-8000-000000000000'],
  'the icons inside a session are recorded, each once'
);
select set_eq(
  $$ select left(shown.id::text, 8) from unnest(app.find_shown_assets(array(select a.id from public.assets as a))) as shown (id) $$,
  array['a0000001', 'a0000002', 'a0000003'],
  'all three assets are shown'
);

-- When one is shared as the wrong type
select tests.become('anon');
select throws_ok(
  $$ insert into public.shared_resources (resource_type, resource_id) values ('card_scenario', 'c0000000-0000-4000-8000-000000000001') $$,
  'PT422', 'There is no such resource to share.', 'a character is no scenario'
);
select throws_ok(
  $$ insert into public.shared_resources (resource_type, resource_id) values ('flow', 'c0000000-0000-4000-8000-000000000003') $$,
  'PT422', 'There is no such resource to share.', 'a session is no flow'
);

-- When all are shared in one request, the session as public
select lives_ok(
  $$
    insert into public.shared_resources (id, resource_type, resource_id, visibility)
    values
      ('d0000000-0000-4000-8000-000000000001', 'card_character', 'c0000000-0000-4000-8000-000000000001', 'unlisted'),
      ('d0000000-0000-4000-8000-000000000002', 'card_scenario', 'c0000000-0000-4000-8000-000000000002', 'unlisted'),
      ('d0000000-0000-4000-8000-000000000003', 'session', 'c0000000-0000-4000-8000-000000000003', 'public')
  $$,
  'one insert shares several types'
);
select is(public.get_shared_resource('d0000000-0000-4000-8000-000000000001') #>> '{data,name}', 'Ana', 'the character opens');
select is(
  public.get_shared_resource('d0000000-0000-4000-8000-000000000001') #>> '{data,extensions,icon_url}',
  'https://cdn/shared-assets/a0000001-0000-4000-8000-000000000000/f.png',
  'with its icon'
);
select is(public.get_shared_resource('d0000000-0000-4000-8000-000000000002') #>> '{data,name}', 'Storm', 'the scenario opens');
select is(
  (public.get_shared_resource('d0000000-0000-4000-8000-000000000003')::jsonb) - '{translation, chat_styles, turn_ids, user_character_card_id, flow_id, cover_id}'::text[],
  '{
    "title": "Evening", "background_id": "a0000002-0000-4000-8000-000000000000", "flow": null, "cover_url": null,
    "background_url": "https://cdn/shared-assets/a0000002-0000-4000-8000-000000000000/f.png",
    "all_cards": [
      {"icon_asset_id": "a0000003-0000-4000-8000-000000000000", "icon_url": "https://cdn/shared-assets/a0000003-0000-4000-8000-000000000000/f.png"},
      {"icon_asset_id": "a0000003-0000-4000-8000-000000000000", "icon_url": "https://cdn/shared-assets/a0000003-0000-4000-8000-000000000000/f.png"},
      {"icon_asset_id": null, "icon_url": null}, {"icon_url": null}
    ]
  }',
  'the session opens with the URL of all that it shows'
);

-- Then they are sealed, and only what is public is listed
select results_eq('select title from public.sessions', array['Evening'], 'the public session is listed');
select is_empty('select id from public.characters union all select id from public.scenarios', 'the unlisted cards are not');
select results_eq('select left(id::text, 8) from public.assets', array['a0000002'], 'of a public session the background can be selected');
select throws_ok(
  $$ insert into public.shared_resources (resource_type, resource_id) values ('card_character', 'c0000000-0000-4000-8000-000000000001') $$,
  '23505', null, 'none is shared a second time'
);
select throws_ok($$ update public.characters set name = 'x' $$, '42501', null, 'no client changes a character');
select throws_ok($$ delete from public.sessions $$, '42501', null, 'no client deletes a session');
select throws_ok(
  $$ insert into public.characters (name, sealed_at) values ('x', now()) $$, '42501', null, 'no client seals'
);
reset role;
select is(
  (select count(*) from (
    select sealed_at from public.characters union all select sealed_at from public.scenarios union all select sealed_at from public.sessions
  ) as s where s.sealed_at is null),
  0::bigint, 'all are sealed'
);

-- An asset that is being deleted counts as absent
update public.assets set status = 'deleting' where id = 'a0000001-0000-4000-8000-000000000000';
update public.assets set status = 'orphaned' where id = 'a0000002-0000-4000-8000-000000000000';
select tests.become('anon');
select throws_ok(
  $$ insert into public.characters (name, icon_asset_id) values ('x', 'a0000001-0000-4000-8000-000000000000') $$,
  'PT422', 'There is no asset a0000001-0000-4000-8000-000000000000.', 'no character can show it'
);
select throws_ok(
  $$ insert into public.sessions (all_cards) values ('[{"icon_asset_id": "a0000001-0000-4000-8000-000000000000"}]') $$,
  'PT422', null, 'no session can show it as an icon'
);
select throws_ok(
  $$ insert into public.sessions (all_cards) values ('[{"icon\u005fasset_id": "a0000001-0000-4000-8000-000000000000"}]') $$,
  'PT422', null, 'however the name of the field is written'
);
select throws_ok(
  $$ insert into public.scenarios (name, icon_asset_id) values ('x', 'a0000001-0000-4000-8000-000000000000') $$,
  'PT422', null, 'no scenario can show it'
);
select throws_ok(
  $$ insert into public.sessions (cover_id) values ('a0000001-0000-4000-8000-000000000000') $$,
  'PT422', null, 'nor as a cover'
);
select throws_ok(
  $$ insert into public.sessions (all_cards) values ('[{"icon_asset_id": "x"}]') $$,
  'PT422', 'all_cards.0.icon_asset_id must be a UUID or null.', 'an icon is a UUID'
);
select throws_ok($$ insert into public.sessions (all_cards) values ('{}') $$, '23514', null, 'cards are an array');
select throws_ok($$ insert into public.characters (name, tags) values ('x', '{}') $$, '23514', null, 'tags are an array');
select throws_ok(
  $$ insert into public.characters (name, lorebook) values ('x', '{"entries": ["\u0000"]}') $$, '23514', null, '\u0000 is refused'
);
select lives_ok(
  $$ insert into public.scenarios (id, name, icon_asset_id) values ('c0000000-0000-4000-8000-000000000004', 'x', 'a0000002-0000-4000-8000-000000000000') $$,
  'an orphan can be shown again'
);

select throws_ok(
  $$ insert into public.characters (name, tags) values ('x', '["\u0000"]') $$, '23514', null, '\u0000 is refused in tags, too'
);
-- 7,500 numbers that jsonb would print with 131 KB each
select lives_ok(
  format($$ insert into public.scenarios (name, tags) values ('x', '[%s]') $$, rtrim(repeat('1e131071,', 7500), ',')),
  'a short document stays short'
);

-- When time passes
reset role;
select tests.travel('59 minutes');
select is(app.delete_unshared_resources(), 0, 'what is not shared has an hour');
select tests.travel('61 minutes');
select is(app.delete_unshared_resources(), 2, 'then it is purged');
select is(app.delete_expired_shares(), 3, 'the shares have expired');
select is_empty(
  'select id from public.characters union all select id from public.scenarios union all select id from public.sessions union all select session_id from app.session_icons',
  'and with them goes what they shared'
);
select is(app.find_shown_assets(array(select a.id from public.assets as a)), '{}', 'nothing shows the assets any more');

-- When the caller has written too much
update app.settings set share_writes_per_minute = 1;
delete from app.rate_limits;
select tests.become('anon');
insert into public.characters (name) values ('one');
select throws_like($$ insert into public.sessions (title) values ('two') $$, '%rate_limited%', 'direct inserts are limited per caller');

-- What a share takes in counts, however little was inserted for it
reset role;
update app.settings set share_writes_per_minute = 15;
delete from app.rate_limits;
select tests.become('anon');
insert into public.flows (id, name, nodes, edges)
values ('f0000000-0000-4000-8000-000000000001', 'Large', json_build_array(repeat('x', 500000)), '[]');
reset role;
delete from app.rate_limits;
select tests.become('anon');
insert into public.shared_resources (resource_type, resource_id) values ('flow', 'f0000000-0000-4000-8000-000000000001');
insert into public.sessions (id, flow_id) values ('c0000000-0000-4000-8000-000000000009', 'f0000000-0000-4000-8000-000000000001');
select throws_like(
  $$ insert into public.shared_resources (resource_type, resource_id) values ('session', 'c0000000-0000-4000-8000-000000000009') $$,
  '%rate_limited%',
  'so does the flow in a session'
);

select * from finish();
rollback;
