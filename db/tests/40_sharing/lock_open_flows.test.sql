-- A sealed flow gets no more nodes.
begin;
select plan(4);

-- Given a shared flow
select tests.become('anon');
insert into public.flows (id, name, nodes, edges)
values ('f0000000-0000-4000-8000-000000000001', 'F', '[]', '[]');
insert into public.shared_resources (resource_type, resource_id)
values ('flow', 'f0000000-0000-4000-8000-000000000001');

select throws_ok(
  $$
    insert into public.agents (flow_id, id) values ('f0000000-0000-4000-8000-000000000001', 'a')
  $$,
  'PT409', 'This flow is shared and cannot change any more.', 'refuses an agent for a shared flow'
);
select throws_ok(
  $$
    insert into public.data_store_nodes (flow_id, id)
    values ('f0000000-0000-4000-8000-000000000001', 'd')
  $$,
  'PT409', null, 'refuses a data store for a shared flow'
);
select throws_ok(
  $$
    insert into public.if_nodes (flow_id, id) values ('f0000000-0000-4000-8000-000000000001', 'i')
  $$,
  'PT409', null, 'refuses an if-node for a shared flow'
);

-- When a flow gets too many nodes
insert into public.flows (id, name, nodes, edges)
values ('f0000000-0000-4000-8000-000000000002', 'G', '[]', '[]');
insert into public.agents (flow_id, id)
select 'f0000000-0000-4000-8000-000000000002', n::text from generate_series(1, 1000) as n;
select throws_ok(
  $$
    insert into public.if_nodes (flow_id, id) values ('f0000000-0000-4000-8000-000000000002', 'i')
  $$,
  'PT422', 'A flow may have at most 1000 agents, data stores and if-nodes together.',
  'refuses more nodes than a flow may have'
);

select * from finish();
rollback;
