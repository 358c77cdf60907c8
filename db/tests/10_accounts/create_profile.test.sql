begin;
select plan(8);

-- Given two new users
create temporary table people as
select tests.create_user('ana@example.com') as ana, tests.create_user('ben@example.com') as ben;
grant select on people to public;

select results_eq(
  'select plan_id, credits from public.users where id in (select ana from people)',
  $$ select id, credits_per_period from public.plans where id = 'free' $$,
  'a new user gets a profile on the free plan, with its credits'
);

-- When Ana is signed in
select tests.sign_in((select ana from people));
select results_eq(
  'select id from public.users',
  'select ana from people',
  'a user reads their own profile and no other'
);
select throws_ok(
  $$ update public.users set credits = 1000 $$,
  '42501', null, 'a user cannot give themselves credits'
);
select throws_ok($$ delete from public.users $$, '42501', null, 'a user cannot delete a profile');
select throws_ok(
  $$ insert into public.users (id) values (gen_random_uuid()) $$,
  '42501', null, 'a user cannot create a profile'
);
select isnt_empty('select id from public.plans', 'a user reads the plans');

-- When nobody is signed in
select tests.become('anon');
select throws_ok(
  'select id from public.users',
  '42501', null, 'an anonymous caller cannot read profiles'
);

-- When the auth user is deleted
reset role;
delete from auth.users where id in (select ben from people);
select is_empty(
  'select id from public.users where id in (select ben from people)',
  'the profile is deleted with its auth user'
);

select * from finish();
rollback;
