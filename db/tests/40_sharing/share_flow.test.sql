begin;
select plan(38);

select tests.become('anon');

-- When a stranger shares a flow
select results_eq(
  $$
    select l.share_id, l.url, l.expires_at
    from public.share_flow(tests.example_flow(), '11111111-1111-4111-8111-111111111111') as l
  $$,
  $$
    values (
      '11111111-1111-4111-8111-111111111111'::uuid,
      'https://harpy.chat/flows/detail/11111111-1111-4111-8111-111111111111',
      now() + interval '1 hour'
    )
  $$,
  'returns the id, the URL and the time at which the share expires'
);

-- Then anyone who knows the id opens it
select is(
  public.get_shared_resource('11111111-1111-4111-8111-111111111111')::text,
  tests.example_flow()::text,
  'a flow opens with the text that was shared'
);
select is_empty('select id from public.shared_resources', 'anon cannot select an unlisted share');
select is_empty('select id from public.flows', 'anon cannot select an unlisted flow');

-- When the request is repeated
select lives_ok(
  $$ select public.share_flow(tests.example_flow(), '11111111-1111-4111-8111-111111111111') $$,
  'repeating the request is safe'
);
select lives_ok(
  $$
    select public.share_flow(
      (tests.example_flow()::jsonb)::json, '11111111-1111-4111-8111-111111111111'
    )
  $$,
  'repeating the request with its keys in another order is safe'
);
select throws_ok(
  $$
    select public.share_flow(
      '{"name": "Other", "nodes": [], "edges": []}', '11111111-1111-4111-8111-111111111111'
    )
  $$,
  'PT409', 'This share_id belongs to another share.', 'refuses the id of another share'
);
reset role;
select results_eq(
  'select count(*) from public.shared_resources', array[1::bigint],
  'repeated requests insert nothing'
);
select is_empty('select from public.flows', 'an unlisted flow has no rows');

-- When a flow is shared as public
select tests.become('anon');
select lives_ok(
  $$
    select public.share_flow(
      tests.example_flow(), '44444444-1111-4111-8111-111111111111', 'public'
    )
  $$,
  'a flow can be shared as public'
);
select results_eq(
  $$
    select
      (select count(*) from public.agents),
      (select count(*) from public.data_store_nodes),
      (select count(*) from public.if_nodes)
  $$,
  $$ values (2::bigint, 1::bigint, 1::bigint) $$,
  'the nodes of a public flow can be selected'
);
select isnt_empty(
  'select id from public.flows where sealed_at is not null', 'a public flow is sealed'
);

-- When a flow has missing and unknown keys
select lives_ok(
  $$
    select public.share_flow(
      '{"name": "", "nodes": [], "edges": [], "version": 3}',
      '22222222-1111-4111-8111-111111111111',
      'public'
    )
  $$,
  'accepts a flow without description, template and nodes'
);
select is(
  public.get_shared_resource('22222222-1111-4111-8111-111111111111')::jsonb,
  '{"name": "", "description": null, "nodes": [], "edges": [], "responseTemplate": null,
    "agents": {}, "dataStoreNodes": {}, "ifNodes": {}, "version": 3}',
  'a flow opens with every key of the enhanced format, and with its unknown keys'
);
select results_eq(
  $$ select name from public.flows where name = '' $$, array[''], 'a public flow can be selected'
);
select is(
  (
    select public.get_shared_resource(l.share_id)::jsonb
    from public.share_flow(
      '{"name": "n", "description": "d", "nodes": [], "edges": [], "responseTemplate": "t"}',
      gen_random_uuid()
    ) as l
  ),
  '{"name": "n", "description": "d", "nodes": [], "edges": [], "responseTemplate": "t",
    "agents": {}, "dataStoreNodes": {}, "ifNodes": {}}',
  'a flow without nodes opens with empty ones'
);

-- Bad input
select throws_ok(
  $$ select public.share_flow('[]', gen_random_uuid()) $$,
  'PT422', 'flow must be an object.', 'refuses an array'
);
select throws_ok(
  $$ select public.share_flow(null, gen_random_uuid()) $$,
  'PT422', 'flow must be an object.', 'refuses null'
);
select throws_ok(
  $$ select public.share_flow('{"nodes": [], "edges": []}', gen_random_uuid()) $$,
  'PT422', 'name must be a string.', 'names a missing field'
);
select throws_ok(
  $$ select public.share_flow('{"name": "n", "nodes": {}, "edges": []}', gen_random_uuid()) $$,
  'PT422', 'nodes must be an array.', 'names a field of the wrong type'
);
select throws_ok(
  $$
    select public.share_flow(
      '{"name": "n", "nodes": [], "edges": [], "agents": {"a.b": {"temperature": "hot"}}}',
      gen_random_uuid()
    )
  $$,
  'PT422', 'agents.a.b.temperature must be a number or null.', 'names the field of an agent'
);
select throws_ok(
  $$
    select public.share_flow(
      '{"name": "n", "nodes": [], "edges": [], "ifNodes": {"i": 5}}', gen_random_uuid()
    )
  $$,
  'PT422', 'ifNodes.i must be an object.', 'names a node that is not an object'
);
select throws_ok(
  $$
    select public.share_flow(
      '{"name": "n", "nodes": [], "edges": [], "agents": {"a": {"maxTokens": 1.5}}}',
      gen_random_uuid()
    )
  $$,
  'PT422', 'agents.a.maxTokens must be a whole number or null.', 'refuses a fraction of a token'
);
select throws_ok(
  $$
    select public.share_flow('{"name": "n", "nodes": ["\u0000"], "edges": []}', gen_random_uuid())
  $$,
  '22P05', null, 'refuses \u0000'
);
select lives_ok(
  $$
    select public.share_flow(
      '{"name": "n", "nodes": ["\\u0000"], "edges": []}', gen_random_uuid()
    )
  $$,
  'accepts a backslash before u0000'
);
select throws_ok(
  $$ select public.share_flow(tests.example_flow(), gen_random_uuid(), 'secret') $$,
  'PT422', 'Unknown visibility "secret".', 'refuses an unknown visibility'
);
select throws_ok(
  $$ select public.share_flow(tests.example_flow(), null) $$,
  'PT422', 'share_id must be a UUID.', 'refuses a missing share_id'
);
select throws_ok(
  $$
    select public.share_flow(
      '{"name": "n", "nodes": [], "edges": [], "agents": {"": {}}}', gen_random_uuid()
    )
  $$,
  'PT422', null, 'refuses an empty node id'
);
select throws_ok(
  $$
    select public.share_flow(
      json_build_object('name', repeat('n', 1001), 'nodes', '[]'::json, 'edges', '[]'::json),
      gen_random_uuid()
    )
  $$,
  'PT422', null, 'refuses a name of more than 1000 bytes'
);
select throws_ok(
  $$
    select public.share_flow(
      '{"name": "n", "nodes": [], "edges": [], "agents": {"a": {"topP": 1e400}}}',
      gen_random_uuid()
    )
  $$,
  'PT422', null, 'refuses a number that a double cannot hold'
);
select lives_ok(
  $$
    select public.share_flow(
      '{"name": "n", "nodes": [], "edges": [], "agents": {"a": {}}, "ifNodes": {"a": {}}}',
      gen_random_uuid()
    )
  $$,
  'accepts two nodes of different kinds with the same id'
);
select throws_ok(
  $$
    select public.share_flow(
      '{"name": "n", "nodes": [], "edges": [], "agents": {"a": {}, "a": {}}}', gen_random_uuid()
    )
  $$,
  'PT422', null, 'refuses two nodes of one kind with the same id'
);
select throws_ok(
  $$
    select public.share_flow(
      tests.example_flow(), '11111111-1111-4111-8111-111111111111', 'public'
    )
  $$,
  'PT409', null, 'refuses to repeat a share with another visibility'
);

-- Documents that jsonb cannot hold
select lives_ok(
  $$
    select
      public.share_flow(
        '{"name": "n", "nodes": [1e200000], "edges": []}', '33333333-1111-4111-8111-111111111111'
      ),
      public.share_flow(
        '{"name": "n", "nodes": [1e200000], "edges": []}', '33333333-1111-4111-8111-111111111111'
      )
  $$,
  'repeating a flow that jsonb cannot hold is safe'
);
select throws_ok(
  $$
    select public.share_flow(
      '{"name": "n", "nodes": [1e200001], "edges": []}', '33333333-1111-4111-8111-111111111111'
    )
  $$,
  'PT409', null, 'refuses the id of a flow that jsonb cannot hold for another one'
);

-- When a flow is too large, or has too many nodes
reset role;
select throws_ok(
  $$
    select public.share_flow(
      json_build_object(
        'name', 'n',
        'nodes', json_build_array(repeat('x', app.get_share_limit('package_bytes'))),
        'edges', '[]'::json
      ),
      gen_random_uuid()
    )
  $$,
  'PT413', 'A shared package may have at most 5 MiB.', 'refuses a flow that is too large'
);
select throws_ok(
  $$
    select public.share_flow(
      json_build_object(
        'name', 'n', 'nodes', '[]'::json, 'edges', '[]'::json, 'agents', a.agents
      ),
      gen_random_uuid()
    )
    from (
      select json_object_agg(n, '{}'::json) as agents
      from generate_series(1, app.get_share_limit('flow_nodes') + 1) as n
    ) as a
  $$,
  'PT422', null, 'refuses a flow with too many nodes'
);

-- When the caller has written too much
update app.settings set share_writes_per_minute = 1;
-- Forgets what earlier requests spent, so that the first of these two requests spends the minute.
delete from app.rate_limits;
select tests.become('anon');
select tests.refusal_of($$
  select public.share_flow(tests.example_flow(), gen_random_uuid())
$$) is null as is_shared;
select throws_like(
  $$ select public.share_flow(tests.example_flow(), gen_random_uuid()) $$,
  '%rate_limited%', 'refuses a flow above the rate of the caller'
);

select * from finish();
rollback;
