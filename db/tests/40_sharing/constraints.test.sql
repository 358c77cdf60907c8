-- Rows that the tables refuse.
begin;
select plan(15);
select tests.become('anon');
insert into public.flows (id, name, nodes, edges)
values
  ('f0000000-0000-4000-8000-000000000001', 'F', '[]', '[]'),
  ('f0000000-0000-4000-8000-000000000002', 'G', '[]', '[]');
insert into public.agents (flow_id, id) values ('f0000000-0000-4000-8000-000000000001', 'a1');

-- Flows
select lives_ok(
  $$
    insert into public.agents (flow_id, id) values ('f0000000-0000-4000-8000-000000000002', 'a1')
  $$,
  'two flows may have nodes with the same id'
);
select throws_ok(
  $$
    insert into public.shared_resources (resource_type, resource_id, expires_at)
    values ('recipe', gen_random_uuid(), now())
  $$,
  'PT422', 'Unknown resource_type "recipe".', 'refuses an unknown resource type'
);
select throws_ok(
  $$ insert into public.flows (id, name, nodes, edges)
    values (gen_random_uuid(), 'x', '["\u0000"]', '[]') $$,
  '23514', null, 'refuses \u0000 in a flow'
);
select throws_ok(
  $$ insert into public.agents (flow_id, id) values (gen_random_uuid(), 'a') $$,
  '23503', null, 'refuses a node without a flow'
);
select throws_ok(
  $$ insert into public.agents (id) values ('a') $$,
  'PT422', 'A new row of agents needs flow_id and id.', 'refuses a node that names no flow'
);
select throws_ok(
  $$
    insert into public.agents (flow_id, id) values ('f0000000-0000-4000-8000-000000000001', '')
  $$,
  '23514', null, 'refuses a node with an empty id'
);

select throws_ok(
  format(
    'insert into public.flows (id, name, nodes, edges) values (gen_random_uuid(), %L, %L, %L)',
    'x', f.nodes, f.edges
  ),
  '23514', null, format('refuses %s that are not an array', f.name)
)
from (values ('nodes', '{}', '[]'), ('edges', '[]', 'null')) as f (name, nodes, edges);

-- Cards and sessions
select throws_ok(
  $$ insert into public.sessions (id, all_cards) values (gen_random_uuid(), '{}') $$,
  '23514', null, 'refuses all_cards that is not an array'
);
select throws_ok(
  $$ insert into public.characters (id, name, tags)
    values (gen_random_uuid(), 'x', '{}') $$,
  '23514', null, 'refuses tags that are not an array'
);
select throws_ok(
  $$ insert into public.characters (id, name, lorebook)
    values (gen_random_uuid(), 'x', '{"entries": ["\u0000"]}') $$,
  '23514', null, 'refuses \u0000 in a lorebook'
);
select throws_ok(
  $$ insert into public.characters (id, name, tags)
    values (gen_random_uuid(), 'x', '["\u0000"]') $$,
  '23514', null, 'refuses \u0000 in tags'
);
-- 7,500 numbers that jsonb would print with 131 KB each
select lives_ok(
  format(
    $$ insert into public.scenarios (id, name, tags)
    values (gen_random_uuid(), 'x', '[%s]') $$,
    rtrim(repeat('1e131071,', 7500), ',')
  ),
  'a short document stays short'
);

-- The largest row, and a byte more
reset role;
create temporary table "limit" as select app.get_share_limit('package_bytes') as bytes;
grant select on "limit" to public;
select tests.become('anon');
-- Quotes, brackets and name take 7 bytes.
select lives_ok(
  $$
    insert into public.flows (id, name, nodes, edges)
    select gen_random_uuid(), 'x', json_build_array(repeat('x', bytes - 7)), '[]' from "limit"
  $$,
  'accepts a flow of the largest size'
);
select throws_ok(
  $$
    insert into public.flows (id, name, nodes, edges)
    select gen_random_uuid(), 'x', json_build_array(repeat('x', bytes - 6)), '[]' from "limit"
  $$,
  '23514', null, 'refuses a flow that is a byte larger'
);

select * from finish();
rollback;
