-- A public flow, card or session is small, because everybody lists it.
begin;
select plan(17);
update app.settings set share_writes_per_minute = 1000000;
create function pg_temp.flow(bytes integer, nodes integer default 0) returns json language sql as $$
  select json_build_object(
    'name', 'n', 'nodes', json_build_array(repeat('x', flow.bytes)), 'edges', '[]'::json,
    'agents', (
      select coalesce(json_object_agg(n, '{}'::json), '{}') from generate_series(1, flow.nodes) as n
    )
  )
$$;
create function pg_temp.card(bytes integer) returns json language sql as $$
  select json_build_object(
    'spec', 'chara_card_v2', 'spec_version', '2.0',
    'data', json_build_object('name', 'n', 'description', repeat('x', card.bytes))
  )
$$;
create function pg_temp.session(bytes integer) returns json language sql as $$
  select json_build_object('title', repeat('x', session.bytes))
$$;
grant execute on function pg_temp.flow, pg_temp.card, pg_temp.session to public;

-- When a stranger shares in one request
select tests.become('anon');
select throws_ok(
  format(
    'select public.%s(%s, share_id => gen_random_uuid(), visibility => ''public'')', f.name,
    f.argument
  ),
  'PT413',
  'A public flow, card or session may have at most 256 KiB; each node of a flow counts 1 KiB more.',
  format('%s refuses a public document of more than 256 KiB', f.name)
)
from (
  values
    ('share_flow', 'pg_temp.flow(262144)'),
    ('share_card', 'pg_temp.card(262144)'),
    ('share_session', 'pg_temp.session(262144)')
) as f (name, argument);
select lives_ok(
  format(
    'select public.%s(%s, share_id => gen_random_uuid(), visibility => ''%s'')', f.name, f.argument,
    f.visibility
  ),
  format('%s accepts %s as %s', f.name, f.argument, f.visibility)
)
from (
  values
    ('share_flow', 'pg_temp.flow(261000)', 'public'),
    ('share_card', 'pg_temp.card(261000)', 'public'),
    ('share_session', 'pg_temp.session(261000)', 'public'),
    ('share_flow', 'pg_temp.flow(262144)', 'unlisted'),
    ('share_card', 'pg_temp.card(262144)', 'unlisted'),
    ('share_session', 'pg_temp.session(262144)', 'unlisted')
) as f (name, argument, visibility);
select throws_ok(
  $$ select public.share_flow(pg_temp.flow(1, 256), gen_random_uuid(), 'public') $$,
  'PT413', null, 'counts each node of a public flow as a KiB more'
);

-- When the stranger inserts rows and shares them
insert into public.flows (id, name, nodes, edges)
values (
  'f0000000-0000-4000-8000-000000000001', '', json_build_array(repeat('x', 200000)), '[]'
);
insert into public.agents (flow_id, id, name)
values ('f0000000-0000-4000-8000-000000000001', 'a1', repeat('x', 61200));
insert into public.characters (id, name)
values ('c0000000-0000-4000-8000-000000000001', repeat('x', 262145));
insert into public.scenarios (id, name)
values ('c0000000-0000-4000-8000-000000000002', repeat('x', 262145));
insert into public.sessions (id, title)
values ('c0000000-0000-4000-8000-000000000003', repeat('x', 262145));
select throws_ok(
  format(
    'insert into public.shared_resources (resource_type, resource_id, visibility) values (%L, %L, '
    '%L)',
    r.type, r.id, 'public'
  ),
  'PT413', null, format('refuses a public share of a large %s', r.type)
)
from (
  values
    ('flow', 'f0000000-0000-4000-8000-000000000001'),
    ('card_character', 'c0000000-0000-4000-8000-000000000001'),
    ('card_scenario', 'c0000000-0000-4000-8000-000000000002'),
    ('session', 'c0000000-0000-4000-8000-000000000003')
) as r (type, id);
select lives_ok(
  $$
    insert into public.shared_resources (resource_type, resource_id)
    values ('card_character', 'c0000000-0000-4000-8000-000000000001')
  $$,
  'accepts an unlisted share of a large card'
);
insert into public.characters (id, name)
values ('c0000000-0000-4000-8000-000000000004', repeat('x', 262144));
select lives_ok(
  $$
    insert into public.shared_resources (resource_type, resource_id, visibility)
    values ('card_character', 'c0000000-0000-4000-8000-000000000004', 'public')
  $$,
  'accepts a public share of exactly 256 KiB'
);

-- When an operator changes the limit
reset role;
update app.settings set public_row_bytes_max = 1024;
select throws_like(
  $$ select public.share_flow(pg_temp.flow(1024), gen_random_uuid(), 'public') $$,
  '%at most 1 KiB%', 'the limit is a setting'
);

select * from finish();
rollback;
