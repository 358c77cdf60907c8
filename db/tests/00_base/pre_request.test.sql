-- What the gate makes of a request: whose it is, and what it refuses.
begin;
select plan(35);

create temporary table people as select tests.create_user('ana@example.com') as ana, tests.create_user('ben@example.com') as ben;
create temporary table made (label text, id uuid, key text);
grant select on people to public;
grant select, insert on made to public;
select tests.sign_in((select ana from people));
insert into made select 'rw', k.id, k.key from public.create_api_key('rw', '{write}', now() + interval '1 hour') as k;
insert into made select 'ro', k.id, k.key from public.create_api_key('ro') as k;
insert into made select 'gone', k.id, k.key from public.create_api_key('gone') as k;
insert into made select 'old', k.id, k.key from public.create_api_key('old', '{write}') as k;
insert into made select 'new', k.id, k.key from made as m, public.rotate_api_key(m.id, 60) as k where m.label = 'old';
select public.revoke_api_key(id) from made where label = 'gone';
reset role;
create function tests.key(label text) returns text language sql as $$ select m.key from made as m where m.label = key.label $$;
grant execute on function tests.key(text) to public;

-- Without a key
select tests.become('anon');
select set_config('request.headers', '{"host": "a"}', true);
select lives_ok('select gate.pre_request()', 'a request without a key passes');
select is(current_user, 'anon', 'and stays whose it was');
select set_config('request.headers', '{"host": "x-api-key", "x-other": "\"x-api-key\": \"a\""}', true);
select lives_ok('select gate.pre_request()', 'what only looks like a key is none');
select is(current_user, 'anon', 'and changes nothing');
select set_config('request.headers', '', true);
select lives_ok('select gate.pre_request()', 'no headers at all are fine');
select set_config('request.headers', '{"content-length": "6291457"}', true);
select throws_ok('select gate.pre_request()', 'PT413', null, 'a body over 6 MiB is refused');
select set_config('request.headers', '{"transfer-encoding": "chunked"}', true);
select throws_ok('select gate.pre_request()', 'PT411', null, 'a body that does not say its length is refused');
select set_config('request.headers', '{"content-length": "6291457", "x-api-key": "a"}', true);
select throws_ok('select gate.pre_request()', 'PT413', null, 'with a key as without');

-- When Ana's key comes, with claims of Ben's left behind wherever they could be
reset role;
select
  set_config('request.jwt.claim.sub', (select ben::text from people), true),
  set_config('request.jwt.claim.role', 'service_role', true),
  set_config('request.jwt.claim.email', 'ben@example.com', true);
select throws_ok($$ select tests.send_key(tests.key('rw')) $$, 'PT400', null, 'a key of one user with a claim of another is refused');
reset role;
select set_config('request.jwt.claim.sub', '', true);
select lives_ok($$ select tests.send_key(tests.key('rw'), 'POST') $$, 'a key is let in');
select is(current_user, 'authenticated', 'as a signed-in user');
select is(auth.uid(), (select ana from people), 'its owner');
select is(auth.role(), 'authenticated', 'with no other role');
select is(auth.email(), null, 'and nobody else''s address');
select is(
  auth.jwt(),
  (select jsonb_build_object('sub', ana, 'role', 'authenticated', 'api_key', jsonb_build_object('id', id, 'scopes', '["read", "write"]'::jsonb)) from people, made where label = 'rw'),
  'the claims say which key it is'
);
select results_eq('select id from public.users', 'select ana from people', 'it reads its owner''s rows and no others');
select throws_ok('update public.users set credits = 1000', '42501', null, 'and writes no credits');
select throws_ok($$ select public.create_api_key('n') $$, 'PT403', null, 'a key makes no keys');
select throws_ok($$ select public.rotate_api_key(id) from made where label = 'rw' $$, 'PT403', null, 'nor rotates one, not even itself');
select throws_ok($$ select public.revoke_api_key(id) from made where label = 'ro' $$, 'PT403', null, 'nor revokes one');
select throws_ok('select gate.pre_request()', 'PT400', null, 'who has become somebody does not become somebody else');

-- With a role of one's own
select throws_ok(
  format($$ select tests.become(%L); select set_config('request.headers', '{"x-api-key": "a"}', true); select gate.pre_request() $$, role),
  'PT400', null, format('a key together with the role %s is refused', role)
) from unnest(array['authenticated', 'service_role']) as r (role);
reset role;

-- A key that may only read
select throws_ok(
  format($$ select tests.send_key(tests.key('ro'), %L, '/flows') $$, method), 'PT403', null, format('a read-only key does not %s', method)
) from unnest(array['POST', 'PATCH', 'PUT', 'DELETE']) as m (method);
select throws_ok(
  $$
    select tests.send_key(tests.key('ro'), 'POST', '/rpc/share_flow');
    select public.share_flow('{"name": "n", "nodes": [], "edges": []}', gen_random_uuid())
  $$,
  '25006', null, 'nor does a function that it calls write'
);
select throws_ok(
  $$ select tests.send_key(tests.key('ro'), 'POST', '/rpc/a'); select set_config('transaction_read_only', 'off', true) $$,
  '25001', null, 'and nothing undoes that'
);

-- Keys that do not work
select throws_ok($$ select tests.send_key(tests.key('gone')) $$, 'PT401', 'This API key was revoked.', 'a revoked key is refused');
select throws_ok($$ select tests.send_key('') $$, 'PT401', 'Unknown API key.', 'an empty one');
select lives_ok($$ select tests.send_key(tests.key('old')) $$, 'a rotated one works for its grace period');
reset role;
select tests.travel('60 seconds');
select throws_ok($$ select tests.send_key(tests.key('old')) $$, 'PT401', 'This API key has expired.', 'and then no more');
update auth.users set banned_until = app.now() + interval '1 second' where id = (select ana from people);
select throws_ok($$ select tests.send_key(tests.key('new')) $$, 'PT401', null, 'a banned owner''s key is refused');
delete from auth.users where id = (select ana from people);
select throws_ok($$ select tests.send_key(tests.key('new')) $$, 'PT401', 'Unknown API key.', 'a deleted owner''s key is gone');

select * from finish();
rollback;
