begin;
select plan(12);

-- Given profiles that cannot be created
alter table public.users
  add constraint users_none_for_a_test check (created_at < '2020-01-01') not valid;

-- When two users sign up
select lives_ok(
  $$
    insert into auth.users (id, email)
    values
      ('11111111-1111-4111-8111-111111111111', 'ana@example.com'),
      ('22222222-2222-4222-8222-222222222222', 'ben@example.com')
  $$,
  'a profile that cannot be created does not stop the sign-up'
);

-- Then the sign-ups are complete, and the profiles are noted
select is(
  (select count(*) from auth.users where email in ('ana@example.com', 'ben@example.com')),
  2::bigint, 'the users of failed profiles exist'
);
select results_eq(
  'select user_id, error from app.missing_profiles order by user_id',
  $$
    select
      id,
      'new row for relation "users" violates check constraint "users_none_for_a_test" (23514)'
    from auth.users
    where email in ('ana@example.com', 'ben@example.com')
    order by id
  $$,
  'each user without a profile is noted with the error'
);

-- When such a user asks for something that needs the profile
select tests.sign_in('11111111-1111-4111-8111-111111111111');
select is(
  (
    tests.refusal_of($$ select public.generate_drama('A premise.', 'gemini-3-pro-preview') $$)
      ->> 'message'
  )::json ->> 'details',
  'profile_missing', 'a drama of a user without a profile is refused with the reason'
);
select is(
  (tests.refusal_of($$ select public.create_api_key('a program') $$) ->> 'message')::json
    ->> 'details',
  'profile_missing', 'an API key of a user without a profile is refused with the reason'
);
reset role;

-- When the schedule runs while the fault lasts
select is(
  app.create_missing_profiles(), 0, 'the schedule reports no profile while the fault lasts'
);
select is(
  (select count(*) from app.missing_profiles), 2::bigint, 'failed profiles stay for the next run'
);

-- When the fault ends, and one of the users is deleted
alter table public.users drop constraint users_none_for_a_test;
delete from auth.users where email = 'ben@example.com';
select is(
  app.create_missing_profiles(), 1, 'the schedule creates the profiles when the fault has ended'
);
select is_empty('select from app.missing_profiles', 'a created profile is not missing any more');
select results_eq(
  $$ select id from public.users where id = '11111111-1111-4111-8111-111111111111' $$,
  $$ values ('11111111-1111-4111-8111-111111111111'::uuid) $$,
  'the user has the profile that the sign-up could not create'
);
select is(
  (select cron from app.schedules where function = 'app.create_missing_profiles'),
  '* * * * *', 'missing profiles are created every minute'
);

-- When a user is unknown
select throws_ok(
  $$ select app.refuse_owner('33333333-3333-4333-8333-333333333333', 'Send another id.') $$,
  'PT404', 'User not found.', 'an unknown user is refused as before'
);

select * from finish();
rollback;
