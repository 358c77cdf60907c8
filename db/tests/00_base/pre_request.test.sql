-- The gate: it decides whose a request is, and refuses some.
begin;
select plan(85);

create temporary table people as
select tests.create_user('ana@example.com') as ana, tests.create_user('ben@example.com') as ben;
create temporary table made (label text, id uuid, key text);
grant select on people to public;
grant select, insert on made to public;
select tests.sign_in((select ana from people));
insert into made
select 'rw', k.id, k.key
from public.create_api_key('rw', '{write}', now() + interval '1 hour') as k;
insert into made select 'ro', k.id, k.key from public.create_api_key('ro') as k;
insert into made select 'gone', k.id, k.key from public.create_api_key('gone') as k;
insert into made select 'old', k.id, k.key from public.create_api_key('old', '{write}') as k;
insert into made
select 'new', k.id, k.key
from made as m, public.rotate_api_key(m.id, 60) as k
where m.label = 'old';
select public.revoke_api_key(id) from made where label = 'gone';
reset role;
create function tests.key(label text) returns text language sql as $$
  select m.key from made as m where m.label = key.label
$$;
grant execute on function tests.key(text) to public;

-- Without a key
select tests.become('anon');
select set_config('request.headers', '{"host": "a"}', true);
select lives_ok('select gate.pre_request()', 'a request without a key passes');
select is(current_user, 'anon', 'a request without a key keeps its role');
select set_config(
  'request.headers',
  '{"host": "x-api-key", "x-other": "\"x-api-key\": \"a\""}',
  true
);
select lives_ok('select gate.pre_request()', 'a header value that looks like a key is ignored');
select is(current_user, 'anon', 'a header value that looks like a key does not change the role');
select set_config('request.headers', '', true);
select lives_ok('select gate.pre_request()', 'a request without headers passes');

-- Given requests with a body
reset role;
create function tests.send(method text, headers json)
  returns void
  language plpgsql
as $$
begin
  perform set_config('request.method', send.method, true);
  perform set_config('request.path', '/rpc/share_flow', true);
  perform set_config('request.headers', send.headers::text, true);
  perform gate.pre_request();
end
$$;
grant execute on function tests.send(text, json) to public;
select tests.become('anon');

select throws_ok(
  format('select tests.send(%L, %L)', r.method, r.headers),
  'PT' || r.status, null,
  format('refuses a %s with the headers %s with %s', r.method, r.headers, r.status)
)
from (
  values
    ('POST', '{"content-length": "6291457"}', 413),
    ('POST', '{"content-length": "6291457", "x-api-key": "a"}', 413),
    ('GET', '{"content-length": "6291457"}', 413),
    ('POST', '{"transfer-encoding": "chunked"}', 411),
    ('POST', '{"transfer-encoding": "chunked", "content-length": "5"}', 411),
    ('DELETE', '{"transfer-encoding": "chunked"}', 411),
    ('POST', '{}', 411),
    ('PUT', '{}', 411),
    ('PATCH', '{"host": "content-length"}', 411),
    ('POST', '{"host": "x-api-key"}', 411),
    ('POST', '{"content-length": ""}', 400),
    ('POST', '{"content-length": "-5"}', 400),
    ('POST', '{"content-length": "0x5"}', 400),
    ('POST', '{"content-length": "5, 5"}', 400),
    ('POST', '{"content-length": "NaN"}', 400),
    ('POST', '{"content-length": "9999999999999999999"}', 400)
) as r (method, headers, status);
select lives_ok(
  format('select tests.send(%L, %L)', r.method, r.headers),
  format('passes a %s with the headers %s', r.method, r.headers)
)
from (
  values
    ('POST', '{"content-length": "6291456"}'),
    ('POST', '{"content-length": "0"}'),
    ('GET', '{}'),
    ('HEAD', '{}'),
    ('DELETE', '{}'),
    ('GET', '{"prefer": "count=exact"}')
) as r (method, headers);

-- Given a request that asks for an estimate
select throws_ok(
  $$ select tests.send('GET', '{"prefer": "return=minimal, count=planned"}') $$,
  'PT400', 'Estimated counts are refused, because they would count hidden rows.',
  'refuses a planned count'
);
select throws_ok(
  $$ select tests.send('HEAD', '{"prefer": "count=estimated"}') $$,
  'PT400', 'Estimated counts are refused, because they would count hidden rows.',
  'refuses an estimated count'
);
select tests.become('service_role');
select lives_ok(
  $$ select tests.send('GET', '{"prefer": "count=planned"}') $$,
  'passes a planned count of service_role'
);
reset role;

-- Given a key that asks for an estimate
select throws_ok(
  $$
    select tests.become('anon');
    select tests.send(
      'GET', json_build_object('prefer', 'count=planned', 'x-api-key', tests.key('rw'))
    )
  $$,
  'PT400', 'Estimated counts are refused, because they would count hidden rows.',
  'refuses a planned count of an API key'
);

-- Given the time that a request may take
create function tests.send_in(method text, path text, timeout text, out timeout_after text)
  language plpgsql
as $$
begin
  perform
    set_config('statement_timeout', send_in.timeout, true),
    set_config('request.method', send_in.method, true),
    set_config('request.path', send_in.path, true),
    set_config('request.headers', '{"content-length": "0"}', true);
  perform gate.pre_request();
  timeout_after := current_setting('statement_timeout');
  perform set_config('statement_timeout', '0', true);
end
$$;
grant execute on function tests.send_in(text, text, text) to public;
select tests.become('anon');
select is(
  tests.send_in(r.method, r.path, r.timeout), r.timeout_after,
  format(
    'an anonymous %s of %s with a timeout of %s has one of %s',
    r.method, r.path, r.timeout, r.timeout_after
  )
)
from (
  values
    ('GET', '/rpc/list_dramas', '3s', '1s'),
    ('HEAD', '/flows', '5s', '1s'),
    ('GET', '/rpc/list_dramas', '5s', '1s'),
    ('GET', '/rpc/share_flow', '5s', '5s'),
    ('GET', '/flows', '0', '1s'),
    ('GET', '/flows', '500ms', '500ms'),
    ('POST', '/flows', '3s', '3s'),
    ('POST', '/flows', '5s', '5s')
) as r (method, path, timeout, timeout_after);
reset role;
select tests.sign_in(tests.create_user('writer@example.com'));
select is(
  tests.send_in(r.method, '/tasks', r.timeout), r.timeout_after,
  format('a %s of a user with a timeout of %s has one of %s', r.method, r.timeout, r.timeout_after)
)
from (
  values
    ('DELETE', '8s', '2s'),
    ('PATCH', '0', '2s'),
    ('PUT', '500ms', '500ms'),
    ('POST', '8s', '8s'),
    ('GET', '8s', '8s')
) as r (method, timeout, timeout_after);
reset role;

-- Given tokens
create function tests.send_token(claims json)
  returns void
  language plpgsql
as $$
begin
  perform tests.assume(send_token.claims ->> 'role', send_token.claims);
  perform tests.send('GET', '{}');
end
$$;
grant execute on function tests.send_token(json) to public;
select throws_ok(
  format('select tests.send_token(%L)', t.claims), 'PT401', t.message,
  format('refuses the token %s', t.claims)
)
from (
  values
    ('{"role": "service_role"}', 'The token has no expiry.'),
    ('{"role": "authenticated", "aud": "authenticated"}', 'The token has no expiry.'),
    (
      '{"role": "authenticated", "aud": "authenticated", "exp": "4102444800"}',
      'The token has no expiry.'
    ),
    ('{"role": "anon", "sub": "7f3c0c57-5f0b-4a3c-8a3b-0d7b2f0a6b11"}', 'The token has no expiry.'),
    ('{"role": "authenticated", "exp": 4102444800}', 'The token is for another service.'),
    (
      '{"role": "authenticated", "exp": 4102444800, "aud": "other"}',
      'The token is for another service.'
    ),
    (
      '{"role": "authenticated", "exp": 4102444800, "aud": ["other"]}',
      'The token is for another service.'
    ),
    (
      '{"role": "authenticated", "exp": 4102444800, "aud": ["authenticated"], '
      '"sub": "7f3c0c57-5f0b-4a3c-8a3b-0d7b2f0a6b11"}',
      'This account was deleted.'
    )
) as t (claims, message);
reset role;
select lives_ok(
  format('select tests.send_token(%L)', t.claims), format('passes the token %s', t.name)
)
from people as p
cross join lateral (
  values
    (
      'for a user',
      json_build_object(
        'role', 'authenticated', 'exp', 4102444800, 'aud', 'authenticated', 'sub', p.ana
      )
    ),
    (
      'for a user with several audiences',
      json_build_object(
        'role', 'authenticated', 'exp', 4102444800, 'aud', array['other', 'authenticated'], 'sub',
        p.ana
      )
    ),
    ('for service_role', json_build_object('role', 'service_role', 'exp', 4102444800))
) as t (name, claims);
reset role;
select set_config('request.method', '', true);

-- When Ana's key comes, with claims of Ben's left behind wherever they could be
reset role;
select
  set_config('request.jwt.claim.sub', (select ben::text from people), true),
  set_config('request.jwt.claim.role', 'service_role', true),
  set_config('request.jwt.claim.email', 'ben@example.com', true);
select throws_ok(
  $$ select tests.send_key(tests.key('rw')) $$,
  'PT400', null, 'a key of one user with a claim of another is refused'
);
reset role;
select set_config('request.jwt.claim.sub', '', true);
select tests.send_key(tests.key('rw'), 'DELETE', '/tasks');
select is(
  current_setting('statement_timeout'), '2s', 'a DELETE with a key ends after two seconds'
);
reset role;
select set_config('statement_timeout', '0', true);
select lives_ok(
  $$ select tests.send_key(tests.key('rw'), 'POST', '/tasks') $$,
  'a request with a key passes'
);
select is(current_user, 'authenticated', 'a request with a key runs as authenticated');
select is(
  current_setting('response.headers', true),
  '[{"Cache-Control": "private, no-store"}]', 'no cache may store an answer to a key'
);
select is(auth.uid(), (select ana from people), 'auth.uid() is the owner of the key');
select is(auth.role(), 'authenticated', 'auth.role() is authenticated');
select is(auth.email(), null, 'auth.email() does not keep the claim of another user');
select is(
  auth.jwt(),
  (
    select jsonb_build_object(
      'sub', ana, 'role', 'authenticated', 'api_key',
      jsonb_build_object('id', id, 'scopes', '["read", "write"]'::jsonb)
    )
    from people, made
    where label = 'rw'
  ),
  'the claims name the key and its scopes'
);
select results_eq(
  'select id from public.users',
  'select ana from people',
  'a key reads its owner''s rows and no others'
);
select throws_ok(
  'update public.users set credits = 1000',
  '42501', null, 'a key cannot write credits'
);
select throws_ok(
  $$ select public.create_api_key('n') $$,
  'PT403', null, 'a key cannot create keys'
);
select throws_ok(
  $$ select public.rotate_api_key(id) from made where label = 'rw' $$,
  'PT403', null, 'a key cannot rotate keys, not even itself'
);
select throws_ok(
  $$ select public.revoke_api_key(id) from made where label = 'ro' $$,
  'PT403', null, 'a key cannot revoke keys'
);
select throws_ok(
  'select gate.pre_request()',
  'PT400', null, 'a request that has become one user''s cannot become another''s'
);

-- With a role of one's own
select throws_ok(
  format($$
    select tests.become(%L);
    select set_config('request.headers', '{"x-api-key": "a", "content-length": "2"}', true);
    select gate.pre_request()
  $$, role),
  'PT400', null, format('a key together with the role %s is refused', role)
) from unnest(array['authenticated', 'service_role']) as r (role);
select throws_ok(
  $$
    select tests.assume('anon', json_build_object('role', 'anon', 'sub', (select ben from people)));
    select set_config('request.headers', '{"x-api-key": "a", "content-length": "2"}', true);
    select gate.pre_request()
  $$,
  'PT400', null, 'a key together with an anonymous token of a user is refused'
);
reset role;

-- A key that may only read
select throws_ok(
  format($$ select tests.send_key(tests.key('ro'), %L, '/flows') $$, method), 'PT403', null,
  format('a read-only key does not %s', method)
) from unnest(array['POST', 'PATCH', 'PUT', 'DELETE']) as m (method);
select throws_ok(
  $$
    select tests.send_key(tests.key('ro'), 'POST', '/rpc/share_flow');
    select public.share_flow('{"name": "n", "nodes": [], "edges": []}', gen_random_uuid())
  $$,
  'PT403', null, 'a function that a read-only key calls cannot write'
);
select throws_ok(
  $$
    select tests.send_key(tests.key('ro'), 'POST', '/rpc/a');
    select set_config('transaction_read_only', 'off', true)
  $$,
  '25001', null, 'the read-only transaction of a key cannot be made writable'
);

-- Keys that do not work
select throws_ok(
  $$ select tests.send_key(tests.key('gone')) $$,
  'PT401',   'This API key was revoked.',
  'a revoked key is refused'
);
select throws_ok(
  $$ select tests.send_key('') $$,
  'PT401',   'Unknown API key.',
  'an empty key is refused'
);
select lives_ok(
  $$ select tests.send_key(tests.key('old')) $$,
  'a rotated key works during its grace period'
);
reset role;
select tests.travel('60 seconds');
select throws_ok(
  $$ select tests.send_key(tests.key('old')) $$,
  'PT401',   'This API key has expired.',
  'a rotated key is refused after its grace period'
);
update auth.users
set banned_until = app.now() + interval '1 second'
where id = (select ana from people);
select throws_ok(
  $$ select tests.send_key(tests.key('new')) $$,
  'PT401', null, 'a banned owner''s key is refused'
);
delete from auth.users where id = (select ana from people);
select throws_ok(
  $$ select tests.send_key(tests.key('new')) $$,
  'PT401',   'Unknown API key.',
  'the key of a deleted owner is unknown'
);

select * from finish();
rollback;
