-- The seed's five inserts, and what their triggers and policies allow.
begin;
select plan(31);

select tests.become('anon');

-- Given a flow with nodes, written by a stranger
insert into public.flows (id, name, description, nodes, edges, response_template)
values ('aaaaaaaa-0000-4000-8000-000000000001', 'F', 'd', '[{"id": "n"}]', '[]', '"t"');
insert into public.agents (flow_id, id, name, temperature) values ('aaaaaaaa-0000-4000-8000-000000000001', 'a1', 'One', 0.7);
insert into public.data_store_nodes (flow_id, id, name, color, data_store_fields)
values ('aaaaaaaa-0000-4000-8000-000000000001', 'd1', 'Store', 'red', '[]');
insert into public.if_nodes (flow_id, id, name, conditions) values ('aaaaaaaa-0000-4000-8000-000000000001', 'i1', 'If', '[]');
select is_empty('select id from public.flows', 'what is not shared cannot be read, not even by who wrote it');

-- When it is shared with a clock that is three hours ahead
select lives_ok(
  $$
    insert into public.shared_resources (id, resource_type, resource_id, expires_at)
    values ('bbbbbbbb-0000-4000-8000-000000000001', 'flow', 'aaaaaaaa-0000-4000-8000-000000000001', now() + interval '3 hours')
  $$,
  'a stranger shares it'
);
select is(
  public.get_shared_resource('bbbbbbbb-0000-4000-8000-000000000001')::jsonb,
  '{"name": "F", "description": "d", "nodes": [{"id": "n"}], "edges": [], "responseTemplate": "t",
    "agents": {"a1": {"name": "One", "promptMessages": null, "modelTier": null, "temperature": 0.7, "maxTokens": null,
      "topP": null, "frequencyPenalty": null, "presencePenalty": null, "responseFormat": null}},
    "dataStoreNodes": {"d1": {"name": "Store", "color": "red", "dataStoreFields": []}},
    "ifNodes": {"i1": {"name": "If", "conditions": []}}}',
  'it opens in the enhanced format'
);
reset role;
select results_eq('select expires_at from public.shared_resources', $$ values (now() + interval '1 hour') $$, 'a clock ahead is clamped to one hour');
select tests.become('anon');

-- Then it is sealed
select throws_ok(
  $$ insert into public.agents (flow_id, id) values ('aaaaaaaa-0000-4000-8000-000000000001', 'a2') $$,
  'PT409', null, 'nobody adds an agent'
);
select throws_ok(
  $$ insert into public.data_store_nodes (flow_id, id) values ('aaaaaaaa-0000-4000-8000-000000000001', 'd2') $$,
  'PT409', null, 'nobody adds a data store'
);
select throws_ok(
  $$ insert into public.if_nodes (flow_id, id) values ('aaaaaaaa-0000-4000-8000-000000000001', 'i2') $$,
  'PT409', null, 'nobody adds an if-node'
);
select throws_ok(
  $$
    insert into public.shared_resources (id, resource_type, resource_id, expires_at)
    values (gen_random_uuid(), 'flow', 'aaaaaaaa-0000-4000-8000-000000000001', now() + interval '1 hour')
  $$,
  '23505', null, 'nobody shares it a second time'
);
select throws_ok($$ update public.shared_resources set expires_at = now() + interval '1 day' $$, '42501', null, 'nobody extends it');
select throws_ok($$ delete from public.shared_resources $$, '42501', null, 'no client deletes it');
select throws_ok($$ update public.flows set name = 'x' $$, '42501', null, 'no client changes a flow');
select throws_ok(
  $$ insert into public.flows (name, nodes, edges, sealed_at) values ('x', '[]', '[]', now()) $$,
  '42501', null, 'no client seals a flow by hand'
);
select throws_ok($$ insert into app.share_packages values (gen_random_uuid(), '{}') $$, '42501', null, 'no client brings their own package');
select throws_ok('select package from app.share_packages', '42501', null, 'no client reads packages but through the RPC');

-- A clock behind still gives an hour; the same node id serves in another flow
insert into public.flows (id, name, nodes, edges) values ('aaaaaaaa-0000-4000-8000-000000000002', 'G', '[]', '[]');
select lives_ok(
  $$ insert into public.agents (flow_id, id) values ('aaaaaaaa-0000-4000-8000-000000000002', 'a1') $$,
  'a node id belongs to its flow'
);
select lives_ok(
  $$
    insert into public.shared_resources (id, resource_type, resource_id, expires_at, visibility)
    values ('bbbbbbbb-0000-4000-8000-000000000002', 'flow', 'aaaaaaaa-0000-4000-8000-000000000002', now() - interval '1 day', 'public')
  $$,
  'a clock behind is no reason to refuse'
);
select results_eq(
  'select id, expires_at from public.shared_resources',
  $$ values ('bbbbbbbb-0000-4000-8000-000000000002'::uuid, now() + interval '1 hour') $$,
  'a public share is listed, with its hour'
);
select results_eq(
  'select (select name from public.flows), (select count(*) from public.agents)',
  $$ values ('G', 1::bigint) $$,
  'with its resource, and no other'
);

-- A share that is dropped as a duplicate seals nothing
insert into public.flows (id, name, nodes, edges) values ('aaaaaaaa-0000-4000-8000-000000000004', 'I', '[]', '[]');
insert into public.shared_resources (id, resource_type, resource_id, visibility)
values ('bbbbbbbb-0000-4000-8000-000000000002', 'flow', 'aaaaaaaa-0000-4000-8000-000000000004', 'public')
on conflict (id) do nothing;
reset role;
select is(
  (select sealed_at from public.flows where id = 'aaaaaaaa-0000-4000-8000-000000000004'), null,
  'a share that on conflict drops seals nothing'
);
select results_eq(
  $$
    select s.id from public.shared_resources as s
    where not exists (select from app.share_packages as p where p.share_id = s.id)
      or not exists (select from public.flows as f where f.id = s.resource_id and f.sealed_at is not null)
  $$,
  array[]::uuid[],
  'every share has its package and a sealed flow'
);
select tests.become('anon');

-- Bad input
select throws_ok(
  $$ insert into public.shared_resources (resource_type, resource_id, expires_at) values ('recipe', gen_random_uuid(), now()) $$,
  '23514', null, 'an unknown resource type is refused'
);
select throws_ok(
  $$ insert into public.shared_resources (resource_type, resource_id, expires_at) values ('flow', gen_random_uuid(), now()) $$,
  'PT422', 'There is no such resource to share.', 'a resource that does not exist is refused'
);
select throws_ok(
  $$ insert into public.flows (name, nodes, edges) values ('x', '["\u0000"]', '[]') $$,
  '23514', null, '\u0000 is refused'
);
select throws_ok(
  $$ insert into public.flows (name, nodes, edges) values ('x', to_json(repeat('x', 5242880)), '[]') $$,
  '23514', null, 'more than 5 MiB is refused'
);
select throws_ok(
  $$ insert into public.agents (flow_id, id) values (gen_random_uuid(), 'a') $$,
  '23503', null, 'a node needs its flow'
);
select throws_ok($$ insert into public.agents (id) values ('a') $$, '23502', null, 'and has to name it');
select throws_ok(
  $$ insert into public.agents (flow_id, id) values ('aaaaaaaa-0000-4000-8000-000000000001', '') $$,
  '23514', null, 'a node needs an id'
);

-- A signed-in user is no different
reset role;
select tests.sign_in(tests.create_user('ana@example.com'));
select lives_ok($$ insert into public.flows (id, name, nodes, edges) values ('aaaaaaaa-0000-4000-8000-000000000003', 'H', '[]', '[]') $$, 'a signed-in user inserts a flow');
select lives_ok(
  $$
    insert into public.shared_resources (id, resource_type, resource_id, expires_at)
    values (gen_random_uuid(), 'flow', 'aaaaaaaa-0000-4000-8000-000000000003', now() + interval '1 hour')
  $$,
  'and shares it'
);

-- Direct writes count
reset role;
update app.settings set share_writes_per_minute = 1;
select tests.become('anon');
select throws_like($$ insert into public.flows (name, nodes, edges) values ('x', '[]', '[]') $$, '%rate_limited%', 'direct writes are limited per caller');
reset role;
update app.settings set share_writes_per_minute = 100;
select tests.become('anon');
select throws_like(
  $$ insert into public.flows (name, nodes, edges) select '', '[]', '[]' from generate_series(1, 50000) $$,
  '%rate_limited%', 'empty rows count, too'
);

select * from finish();
rollback;
