begin;
select plan(37);

select tests.become('anon');

-- When a stranger shares a flow
select results_eq(
  $$ select (l).share_id, (l).url, (l).expires_at from (select public.share_flow(tests.example_flow(), '11111111-1111-4111-8111-111111111111') as l) as s $$,
  $$ values ('11111111-1111-4111-8111-111111111111'::uuid, 'https://harpy.chat/flows/detail/11111111-1111-4111-8111-111111111111', now() + interval '1 hour') $$,
  'returns id, link and the hour it lives'
);

-- Then whoever has the id opens it
select is(
  public.get_shared_resource('11111111-1111-4111-8111-111111111111')::text,
  tests.example_flow()::text,
  'it opens as it was shared, to the letter'
);
select is_empty('select id from public.shared_resources', 'an unlisted share is listed nowhere');
select is_empty('select id from public.flows', 'nor is its flow');

-- When the request is repeated
select lives_ok($$ select public.share_flow(tests.example_flow(), '11111111-1111-4111-8111-111111111111') $$, 'repeating the request is safe');
select lives_ok(
  $$ select public.share_flow((tests.example_flow()::jsonb)::json, '11111111-1111-4111-8111-111111111111') $$,
  'also when the same content is written in another order'
);
select throws_ok(
  $$ select public.share_flow('{"name": "Other", "nodes": [], "edges": []}', '11111111-1111-4111-8111-111111111111') $$,
  'PT409', 'This share_id belongs to another share.', 'the id of another share is refused'
);
reset role;
select results_eq('select count(*) from public.shared_resources', array[1::bigint], 'only the first request wrote anything');
select is_empty('select from public.flows', 'an unlisted flow has no rows, which nobody could select');

-- When it is shared as public, then its rows can be selected
select tests.become('anon');
select lives_ok($$ select public.share_flow(tests.example_flow(), '44444444-1111-4111-8111-111111111111', 'public') $$, 'it can be shared as public');
select results_eq(
  $$ select (select count(*) from public.agents), (select count(*) from public.data_store_nodes), (select count(*) from public.if_nodes) $$,
  $$ values (2::bigint, 1::bigint, 1::bigint) $$,
  'its nodes are rows'
);
select isnt_empty('select id from public.flows where sealed_at is not null', 'and it is sealed');

-- What is left out is completed, what is unknown is kept
select tests.become('anon');
select lives_ok($$ select public.share_flow('{"name": "", "nodes": [], "edges": [], "version": 3}', '22222222-1111-4111-8111-111111111111', 'public') $$, 'a bare flow can be shared');
select is(
  public.get_shared_resource('22222222-1111-4111-8111-111111111111')::jsonb,
  '{"name": "", "description": null, "nodes": [], "edges": [], "responseTemplate": null, "agents": {}, "dataStoreNodes": {}, "ifNodes": {}, "version": 3}',
  'it opens with every key of the enhanced format, and with its own'
);
select results_eq($$ select name from public.flows where name = '' $$, array[''], 'a public share''s flow can be selected');

select is(
  (
    select public.get_shared_resource(l.share_id)::jsonb
    from public.share_flow('{"name": "n", "description": "d", "nodes": [], "edges": [], "responseTemplate": "t"}', gen_random_uuid()) as l
  ),
  '{"name": "n", "description": "d", "nodes": [], "edges": [], "responseTemplate": "t", "agents": {}, "dataStoreNodes": {}, "ifNodes": {}}',
  'and so does one that leaves out only its nodes'
);

-- Bad input changes nothing
select throws_ok($$ select public.share_flow('[]', gen_random_uuid()) $$, 'PT422', 'flow must be an object.', 'refuses what is no object');
select throws_ok($$ select public.share_flow(null, gen_random_uuid()) $$, 'PT422', 'flow must be an object.', 'refuses null');
select throws_ok($$ select public.share_flow('{"nodes": [], "edges": []}', gen_random_uuid()) $$, 'PT422', 'name must be a string.', 'names a missing field');
select throws_ok($$ select public.share_flow('{"name": "n", "nodes": {}, "edges": []}', gen_random_uuid()) $$, 'PT422', 'nodes must be an array.', 'names a field of the wrong type');
select throws_ok(
  $$ select public.share_flow('{"name": "n", "nodes": [], "edges": [], "agents": {"a.b": {"temperature": "hot"}}}', gen_random_uuid()) $$,
  'PT422', 'agents.a.b.temperature must be a number or null.', 'names the field of an agent'
);
select throws_ok(
  $$ select public.share_flow('{"name": "n", "nodes": [], "edges": [], "ifNodes": {"i": 5}}', gen_random_uuid()) $$,
  'PT422', 'ifNodes.i must be an object.', 'names a node that is none'
);
select throws_ok(
  $$ select public.share_flow('{"name": "n", "nodes": [], "edges": [], "agents": {"a": {"maxTokens": 1.5}}}', gen_random_uuid()) $$,
  'PT422', 'agents.a.maxTokens must be a whole number or null.', 'refuses a fraction of a token'
);
select throws_ok(
  $$ select public.share_flow('{"name": "n", "nodes": ["\u0000"], "edges": []}', gen_random_uuid()) $$,
  '22P05', null, 'refuses \u0000'
);
select lives_ok(
  $$ select public.share_flow('{"name": "n", "nodes": ["\\u0000"], "edges": []}', gen_random_uuid()) $$,
  'but not a backslash before u0000'
);
select throws_ok(
  $$ select public.share_flow(json_build_object('name', 'n', 'nodes', json_build_array(repeat('x', 5242880)), 'edges', '[]'::json), gen_random_uuid()) $$,
  'PT413', 'A shared package may have 5 MiB at most.', 'refuses what is too large'
);
select throws_ok(
  $$
    select public.share_flow(json_build_object('name', 'n', 'nodes', '[]'::json, 'edges', '[]'::json, 'agents', a.agents), gen_random_uuid())
    from (select json_object_agg(n, '{}'::json) as agents from generate_series(1, 1001) as n) as a
  $$,
  'PT422', null, 'refuses more than a thousand nodes'
);
select throws_ok(
  $$ select public.share_flow(tests.example_flow(), gen_random_uuid(), 'secret') $$,
  'PT422', 'There is no visibility "secret".', 'refuses an unknown visibility'
);

select throws_ok(
  $$ select public.share_flow('{"name": "n", "nodes": [], "edges": [], "agents": {"": {}}}', gen_random_uuid()) $$,
  'PT422', null, 'refuses an empty node id'
);
select throws_ok(
  $$ select public.share_flow(json_build_object('name', repeat('n', 1001), 'nodes', '[]'::json, 'edges', '[]'::json), gen_random_uuid()) $$,
  'PT422', null, 'refuses a name of more than 1,000 bytes'
);
select throws_ok(
  $$ select public.share_flow('{"name": "n", "nodes": [], "edges": [], "agents": {"a": {"topP": 1e400}}}', gen_random_uuid()) $$,
  'PT422', null, 'refuses a number that is none to a client'
);
select lives_ok(
  $$ select public.share_flow('{"name": "n", "nodes": [], "edges": [], "agents": {"a": {}}, "ifNodes": {"a": {}}}', gen_random_uuid()) $$,
  'two nodes of different kinds may have the same id'
);
select throws_ok(
  $$ select public.share_flow('{"name": "n", "nodes": [], "edges": [], "agents": {"a": {}, "a": {}}}', gen_random_uuid()) $$,
  'PT422', null, 'refuses a node id that is there twice'
);
select throws_ok(
  $$ select public.share_flow(tests.example_flow(), '11111111-1111-4111-8111-111111111111', 'public') $$,
  'PT409', null, 'refuses to repeat a share with another visibility'
);
select lives_ok(
  $$
    select public.share_flow('{"name": "n", "nodes": [1e200000], "edges": []}', '33333333-1111-4111-8111-111111111111'),
      public.share_flow('{"name": "n", "nodes": [1e200000], "edges": []}', '33333333-1111-4111-8111-111111111111')
  $$,
  'repeating is safe for what jsonb cannot hold, too'
);
select throws_ok(
  $$ select public.share_flow('{"name": "n", "nodes": [1e200001], "edges": []}', '33333333-1111-4111-8111-111111111111') $$,
  'PT409', null, 'and another content is another content'
);

-- When the caller has written too much
reset role;
update app.settings set share_writes_per_minute = 1;
select tests.become('anon');
select throws_like($$ select public.share_flow(tests.example_flow(), gen_random_uuid()) $$, '%rate_limited%', 'is limited per caller');

select * from finish();
rollback;
