begin;
select plan(3);

select throws_ok(
  'select app.require_user()',
  'PT401', null, 'refuses a caller who is not signed in'
);
select set_config('request.jwt.claims', '{"role": "anon"}', true);
select throws_ok('select app.require_user()', 'PT401', null, 'refuses the anonymous key');
select set_config(
  'request.jwt.claims',
  '{"role": "authenticated", "sub": "7f3c0c57-5f0b-4a3c-8a3b-0d7b2f0a6b11"}',
  true
);
select is(
  app.require_user(), '7f3c0c57-5f0b-4a3c-8a3b-0d7b2f0a6b11'::uuid,
  'returns the id of a signed-in user'
);

select * from finish();
rollback;
