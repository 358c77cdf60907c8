-- Clients select and write the tables directly, as in origin 000.
begin;
select plan(27);
select tests.create_asset('a0000001-0000-4000-8000-000000000000');
select tests.create_asset('a0000002-0000-4000-8000-000000000000');

-- Given a flow with a node of each kind, cards and a session, which anon inserted and did not share
select tests.become('anon');
insert into public.flows (id, name, nodes, edges)
values ('f0000000-0000-4000-8000-000000000001', 'F', '[]', '[]');
insert into public.agents (flow_id, id) values ('f0000000-0000-4000-8000-000000000001', 'a1');
insert into public.data_store_nodes (flow_id, id)
values ('f0000000-0000-4000-8000-000000000001', 'd1');
insert into public.if_nodes (flow_id, id) values ('f0000000-0000-4000-8000-000000000001', 'i1');
insert into public.characters (id, name, icon_asset_id)
values (
  'c0000000-0000-4000-8000-000000000001', 'Ana', 'a0000001-0000-4000-8000-000000000000'
);
insert into public.scenarios (id, name) values ('c0000000-0000-4000-8000-000000000002', 'Storm');
insert into public.sessions (id, title, background_id)
values (
  'c0000000-0000-4000-8000-000000000003', 'Evening', 'a0000002-0000-4000-8000-000000000000'
);
select is_empty(
  'select id from public.flows', 'anon cannot select a flow that is not shared, its author included'
);
select is_empty(
  $$
    select id from public.agents
    union all
    select id from public.data_store_nodes
    union all
    select id from public.if_nodes
  $$,
  'anon cannot select a node of a flow that is not shared'
);
select is_empty(
  $$
    select id from public.characters
    union all
    select id from public.scenarios
    union all
    select id from public.sessions
  $$,
  'anon cannot select a card or a session that is not shared'
);
select is_empty(
  'select id from public.assets', 'anon cannot select the assets of a card that is not shared'
);

-- When anon shares the session as public and the others as unlisted
insert into public.shared_resources (id, resource_type, resource_id, visibility)
values
  (
    'd0000000-0000-4000-8000-000000000001', 'card_character',
    'c0000000-0000-4000-8000-000000000001', 'unlisted'
  ),
  (
    'd0000000-0000-4000-8000-000000000002', 'card_scenario',
    'c0000000-0000-4000-8000-000000000002', 'unlisted'
  ),
  (
    'd0000000-0000-4000-8000-000000000003', 'session',
    'c0000000-0000-4000-8000-000000000003', 'public'
  ),
  (
    'd0000000-0000-4000-8000-000000000004', 'flow',
    'f0000000-0000-4000-8000-000000000001', 'unlisted'
  );
select results_eq(
  'select title from public.sessions', array['Evening'], 'anon selects a public session'
);
select is_empty(
  'select id from public.characters union all select id from public.scenarios',
  'anon cannot select an unlisted card'
);
select is_empty(
  $$
    select name from public.flows
    union all
    select id from public.agents
    union all
    select id from public.data_store_nodes
    union all
    select id from public.if_nodes
  $$,
  'anon cannot select an unlisted flow, or a node of one'
);
select results_eq(
  'select left(id::text, 8) from public.assets', array['a0000002'],
  'anon selects the background of a public session, and no other asset'
);

-- When anon shares another flow as public
insert into public.flows (id, name, nodes, edges)
values ('f0000000-0000-4000-8000-000000000002', 'G', '[]', '[]');
insert into public.agents (flow_id, id) values ('f0000000-0000-4000-8000-000000000002', 'a2');
insert into public.data_store_nodes (flow_id, id)
values ('f0000000-0000-4000-8000-000000000002', 'd2');
insert into public.if_nodes (flow_id, id) values ('f0000000-0000-4000-8000-000000000002', 'i2');
insert into public.shared_resources (resource_type, resource_id, visibility)
values ('flow', 'f0000000-0000-4000-8000-000000000002', 'public');
select results_eq(
  $$
    select name from public.flows
    union all
    select id from public.agents
    union all
    select id from public.data_store_nodes
    union all
    select id from public.if_nodes
    order by 1
  $$,
  array['G', 'a2', 'd2', 'i2'],
  'anon selects a public flow with its nodes, and no other flow'
);
select results_eq(
  'select resource_type from public.shared_resources order by resource_type',
  array['flow', 'session'],
  'anon selects public shares, and no unlisted share'
);

-- When anon tries to change something
select throws_ok(
  $$ update public.shared_resources set expires_at = now() + interval '1 day' $$,
  '42501', null, 'anon cannot extend a share'
);
select throws_ok(
  'delete from public.shared_resources', '42501', null, 'anon cannot delete a share'
);
select throws_ok(
  $$ update public.flows set name = 'x' $$, '42501', null, 'anon cannot change a flow'
);
select throws_ok(
  $$ update public.characters set name = 'x' $$, '42501', null, 'anon cannot change a character'
);
select throws_ok('delete from public.sessions', '42501', null, 'anon cannot delete a session');
select throws_ok(
  $$ insert into public.flows (id, name, nodes, edges, sealed_at)
    values (gen_random_uuid(), 'x', '[]', '[]', now()) $$,
  '42501', null, 'anon cannot seal a flow by hand'
);
select throws_ok(
  $$ insert into public.characters (id, name, sealed_at) values (gen_random_uuid(), 'x', now()) $$,
  '42501', null, 'anon cannot seal a card by hand'
);
select throws_ok(
  $$ insert into app.share_packages values (gen_random_uuid(), '{}') $$,
  '42501', null, 'anon cannot insert a package'
);
select throws_ok(
  'select package from app.share_packages', '42501', null, 'anon cannot select packages'
);
select throws_ok(
  $$ insert into public.flows (id, name, nodes, edges) values
     ('f0000000-0000-4000-8000-000000000002', 'H', '[]', '[]')
     on conflict (id) do update set name = excluded.name $$,
  '42501', null, 'anon cannot upsert a flow'
);

-- A signed-in user may do the same
reset role;
select tests.sign_in(tests.create_user('ana@example.com'));
select lives_ok(
  $$
    insert into public.flows (id, name, nodes, edges)
    values ('f0000000-0000-4000-8000-000000000003', 'H', '[]', '[]')
  $$,
  'a signed-in user inserts a flow'
);
select lives_ok(
  $$
    insert into public.shared_resources (id, resource_type, resource_id, expires_at)
    values (
      gen_random_uuid(), 'flow', 'f0000000-0000-4000-8000-000000000003', now() + interval '1 hour'
    )
  $$,
  'a signed-in user shares a flow'
);

-- When the hour is over
reset role;
select tests.travel('1 hour');
select tests.become('anon');
select is_empty(
  'select id from public.shared_resources',
  'anon cannot select an expired share before its deletion'
);
select is_empty(
  'select id from public.flows', 'anon cannot select an expired flow before its deletion'
);
select is_empty(
  'select id from public.sessions', 'anon cannot select an expired session before its deletion'
);
select is_empty(
  'select id from public.assets',
  'anon cannot select the assets of an expired session before its deletion'
);
select tests.become('service_role');
select is((select count(*) from public.flows), 3::bigint, 'service_role selects every flow');

select * from finish();
rollback;
