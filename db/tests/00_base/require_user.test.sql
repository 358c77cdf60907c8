begin;
select plan(6);

create temporary table people as select tests.create_user('ana@example.com') as ana;

-- Given callers without a user
select throws_ok(
  'select app.require_user()',
  'PT401', null, 'refuses a caller who is not signed in'
);
select set_config('request.jwt.claims', '{"role": "anon"}', true);
select throws_ok('select app.require_user()', 'PT401', null, 'refuses the anonymous key');

-- Given Ana's token
select set_config(
  'request.jwt.claims',
  (select json_build_object('role', 'authenticated', 'sub', p.ana)::text from people as p),
  true
);
select is(
  app.require_user(), (select p.ana from people as p), 'returns the id of a signed-in user'
);

-- When Supabase Auth marks Ana as deleted, and then deletes her
update auth.users set deleted_at = now() where id = (select p.ana from people as p);
select throws_ok(
  'select app.require_user()',
  'PT401', 'This account was deleted.', 'refuses the token of a user who is marked as deleted'
);
delete from auth.users where id = (select p.ana from people as p);
select throws_ok(
  'select app.require_user()',
  'PT401', 'This account was deleted.', 'refuses the token of a deleted user'
);
select throws_ok(
  $$ select public.create_api_key('n') $$,
  'PT401', 'This account was deleted.', 'creates no API key for a deleted user'
);

select * from finish();
rollback;
