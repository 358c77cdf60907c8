begin;
select plan(5);

select tests.become('anon');
select public.share_flow(
  tests.example_flow(), '11111111-1111-4111-8111-111111111111', 'public'
);

-- When a second is left
reset role;
select tests.travel('59 minutes 59 seconds');
select tests.become('anon');
select lives_ok(
  $$ select public.get_shared_resource('11111111-1111-4111-8111-111111111111') $$,
  'opens a share until its last second'
);
select is(
  current_setting('response.headers', true),
  '[{"Cache-Control": "public, max-age=1"}, {"Vary": "Accept-Encoding"}, '
  '{"Content-Type": "application/json; charset=utf-8"}]',
  'lets caches keep a share no longer than it lives'
);

-- When the hour is over
reset role;
select tests.travel('1 hour');
select tests.become('anon');
select throws_ok(
  $$ select public.get_shared_resource('11111111-1111-4111-8111-111111111111') $$,
  'PT404', 'Share not found, or expired.', 'refuses an expired share before its deletion'
);
select throws_ok(
  'select public.get_shared_resource(gen_random_uuid())',
  'PT404', 'Share not found, or expired.', 'refuses an unknown share with the same error'
);
select throws_ok(
  'select public.get_shared_resource(null)', 'PT404', null, 'refuses null as an unknown share'
);

select * from finish();
rollback;
