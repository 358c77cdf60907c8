begin;
select plan(5);

-- Given a request with an API key
select set_config('request.jwt.claims', '{"api_key": {}}', true);
select set_config('response.headers', '[{"Cache-Control": "private, no-store"}]', true);

-- When it inserts dramas
select app.set_drama_location('00000000-0000-4000-8000-000000000001');
select is(
  current_setting('response.headers', true)::jsonb,
  '[
    {"Cache-Control": "private, no-store"},
    {"Location": "/dramas?id=eq.00000000-0000-4000-8000-000000000001"}
  ]'::jsonb,
  'the location of a drama keeps the other headers of the answer'
);
select app.set_drama_location('00000000-0000-4000-8000-000000000002');
select is(
  current_setting('response.headers', true)::jsonb,
  '[{"Cache-Control": "private, no-store"}]'::jsonb,
  'a second drama removes the location only'
);

-- When it reads a drama
select app.set_drama_headers(now());
select is(
  current_setting('response.headers', true)::jsonb -> 1 ->> 'Cache-Control',
  'private, no-store', 'no cache may store a drama that a key reads'
);

-- When a user with a JWT reads a drama
select set_config('request.jwt.claims', '{"sub": "x"}', true);
select app.set_drama_headers(now());
select is(
  current_setting('response.headers', true)::jsonb -> 1 ->> 'Cache-Control',
  'private, no-cache', 'a client may store a drama, and asks whether it has changed'
);
select set_config('response.headers', '', true);
select set_config('plinth.inserts_dramas', '', true);
select app.set_drama_location('00000000-0000-4000-8000-000000000001');
select is(
  jsonb_array_length(current_setting('response.headers', true)::jsonb), 1,
  'the location of a drama is the only header without a key'
);

select * from finish();
rollback;
