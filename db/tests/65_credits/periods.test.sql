-- Credits of free plans: once per period, counted from sign-up.
begin;
select plan(29);
create temporary table known (ana uuid, ben uuid);
update plans set credits_per_period = 10, period = '1 month', low_credits_at = null
where id = 'free';
update plans set credits_per_period = 500, price_minor = 100 where id = 'pro';
insert into known (ana) select tests.create_user('ana@example.com');

select is(tests.balance_of(ana), '10 0 0', 'a new user has the credits of the first period')
from known;
select is(
  (select expires_at from credit_grants),
  ((select created_at from users) at time zone 'UTC' + interval '1 month') at time zone 'UTC',
  'the credits end with the period'
);
select is(app.grant_due_periods(), 0, 'the schedule gives nothing in the first period');

select tests.travel('32 days');
select is(app.grant_due_periods(), 1, 'the schedule finds a user whose period has begun');
select is(app.grant_due_periods(), 0, 'the schedule gives the credits of a period once');
select app.expire_credits();
select is(tests.balance_of(ana), '10 0 0', 'the credits of the last period have ended') from known;
select results_eq(
  $$ select kind, amount from credit_entries order by id $$,
  $$ values ('grant', 10), ('grant', 10), ('expiry', -10) $$,
  'the ledger has both periods'
);

-- After an outage of several periods
select tests.travel('200 days');
select is(app.grant_due_periods(), 1, 'the schedule finds the user after an outage');
select app.expire_credits();
select is(tests.balance_of(ana), '10 0 0', 'an outage makes up for no past period') from known;
select is((select count(*) from credit_grants), 3::bigint, 'only the current period is granted');
select ok(
  (
    select next_at > app.now() and next_at <= app.now() + interval '31 days'
    from app.credit_periods
  ),
  'the next period begins within a month'
);

-- A paid plan, and back
update users set plan_id = 'pro';
select tests.travel('240 days');
select is(app.grant_due_periods(), 1, 'the schedule looks at users of paid plans');
select app.expire_credits();
select is(tests.balance_of(ana), '0 0 0', 'a user of a paid plan gets nothing by schedule')
from known;
update users set plan_id = 'free';
select app.grant_due_periods();
select is(
  tests.balance_of(ana), '10 0 0', 'a user who is back on the free plan gets the current period'
)
from known;
update users set plan_id = 'pro';
update users set plan_id = 'free';
select app.grant_due_periods();
select is(tests.balance_of(ana), '10 0 0', 'a plan that changes twice in a period gives one grant')
from known;
select tests.travel('275 days');
select app.grant_due_periods();
select app.expire_credits();
select is(tests.balance_of(ana), '10 0 0', 'the next period has its credits') from known;

select ok(
  (select next_at > app.now() from app.credit_periods), 'the next period begins later'
);

-- The same period is never granted twice, whatever next_at says
update app.credit_periods set next_at = '-infinity';
select is(app.grant_due_periods(), 1, 'the schedule looks again');
select is(tests.balance_of(ana), '10 0 0', 'the reference of the grant prevents a second grant')
from known;

-- Many users at once
insert into auth.users (id, aud, role, email)
select gen_random_uuid(), 'authenticated', 'authenticated', n || '@example.com'
from generate_series(1, 1200) as n;
select is(
  (select count(*) from users where credits = 10), 1201::bigint, 'each new user has credits'
);
update app.credit_periods set next_at = '-infinity';
select is(
  app.grant_due_periods(), 150, 'works in batches, because one transaction is one poll of Realtime'
);
update users set plan_ends_at = app.now() + interval '1 day';
select is(app.announce_plan_ends(), 300, 'announces the ends of plans in batches');
update users set plan_ends_at = app.now();
select is(app.return_lapsed_plans(), 150, 'ends plans in batches');

-- Periods are exact
select is(
  (select format('%s %s', p.starts_at at time zone 'UTC', p.ends_at at time zone 'UTC')
   from app.find_period('2024-01-31 10:00+00', '1 month', at::timestamptz) as p),
  expected,
  format('the period that contains %s', at)
)
from (
  values
    ('2024-01-31 10:00+00', '2024-01-31 10:00:00 2024-02-29 10:00:00'),
    ('2024-02-29 09:59+00', '2024-01-31 10:00:00 2024-02-29 10:00:00'),
    ('2024-02-29 10:00+00', '2024-02-29 10:00:00 2024-03-31 10:00:00'),
    ('2024-01-01 00:00+00', '2024-01-31 10:00:00 2024-02-29 10:00:00'),
    ('2034-05-30 00:00+00', '2034-04-30 10:00:00 2034-05-31 10:00:00')
) as a (at, expected);
select is_empty('select * from ops.credit_faults', 'all of it adds up');

select * from finish();
rollback;
