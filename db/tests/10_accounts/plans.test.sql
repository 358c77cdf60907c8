-- Plans: which rows operators cannot make, because sign-ups, schedules and orders need them.
begin;
select plan(15);

select is(
  tests.refusal_of($$ delete from public.plans where id = 'free' $$) - 'hint',
  '{"code": "PT409", "slug": "plan_protected",
    "message": "Plan free cannot be deleted or renamed, because every new user gets it."}',
  'refuses to delete the plan of new users, which has no user yet'
);
select is(
  tests.refusal_of($$ update public.plans set id = 'basic' where id = 'free' $$) ->> 'slug',
  'plan_protected',
  'refuses to rename the plan of new users'
);
select lives_ok(
  $$ update public.plans set id = 'free', name = 'Basic' where id = 'free' $$,
  'the plan of new users can be changed'
);
select lives_ok(
  $$ delete from public.plans where id = 'pro' $$, 'a plan without users can be deleted'
);

-- Periods that the schedule cannot count
select throws_ok(
  format('update public.plans set period = %L where id = ''free''', p.period),
  '23514', null, format('refuses a period of %s', p.period)
)
from (
  values
    ('0'), ('-1 month'), ('1 microsecond'), ('59 minutes'), ('1 month -29 days'),
    ('-1 month 31 days'), ('11 years')
) as p (period);

-- Credits that no grant can have
select throws_ok(
  $$ update public.plans set credits_per_period = 1000000001 where id = 'free' $$,
  '23514', null, 'refuses more credits per period than a user can have'
);
select throws_ok(
  $$ update public.credit_packs set credits = 1000000001 $$,
  '23514', null, 'refuses a pack of more credits than a user can have'
);

-- A server keeps its catalog in a file, and sends it whole
select tests.become('service_role');
select lives_ok(
  $$
    insert into public.plans (id, name) values ('free', 'Free'), ('silver', 'Silver')
    on conflict (id) do update set id = excluded.id, name = excluded.name
  $$,
  'a server upserts plans'
);
select lives_ok(
  $$
    insert into public.credit_packs (id, name, credits, price_minor, currency)
    values ('small', 'Small', 10, 100, 'EGP')
    on conflict (id) do update set id = excluded.id, name = excluded.name
  $$,
  'a server upserts credit packs'
);
reset role;

select * from finish();
rollback;
