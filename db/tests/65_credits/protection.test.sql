-- Only app.apply_credits changes credits, also for postgres. The ledger survives its user.
begin;
select plan(32);
select tests.create_paid_type();
create temporary table known (ana uuid, ben uuid, run bigint, "grant" uuid, hold uuid);
insert into known (ana, ben)
select tests.create_user('ana@example.com'), tests.create_user('ben@example.com');
update known set "grant" = tests.grant_credits(ana, 10, 'order');
select tests.grant_credits(ben, 10, 'order') from known;
update known set run = tests.submit_paid(ana, 2, 'captured');
select app.capture_hold(run) from known;
update known set run = tests.submit_paid(ana, 3, 'open');
update known set hold = (select id from credit_holds where status = 'open');

select is(
  tests.refusal_of(
    replace(replace(command, '$user', quote_literal(ana)), '$grant', quote_literal("grant"))
  ) ->> 'slug',
  'credits_protected',
  format('refuses for postgres: %s', left(command, 60))
)
from known
cross join (
  values
    ('update users set credits = 100 where id = $user'),
    ('update users set credits_held = 0 where id = $user'),
    ('update users set credits_owed = 1 where id = $user'),
    ('update users set credits = credits where id = $user'),
    ('insert into users (id, credits) values (gen_random_uuid(), 5)'),
    ('insert into users (id, credits_owed) values (gen_random_uuid(), 5)'),
    ('insert into credit_grants (user_id, source, amount) values ($user, ''bonus'', 5)'),
    ('update credit_grants set remaining = 9'),
    ('update credit_grants set expires_at = now()'),
    ('delete from credit_grants'),
    ('truncate credit_grants cascade'),
    ('insert into credit_holds (user_id, run_id, amount, reason, expires_at)
      values ($user, 1, 5, ''x'', now())'),
    ('update credit_holds set status = ''released'', ended_at = now()'),
    ('delete from credit_holds'),
    ('truncate credit_holds cascade'),
    ('insert into app.credit_hold_grants select id, $grant, 1 from credit_holds limit 1'),
    ('update app.credit_hold_grants set amount = 1'),
    ('delete from app.credit_hold_grants'),
    ('truncate app.credit_hold_grants'),
    ('insert into credit_entries (user_id, kind, amount) values ($user, ''grant'', 5)'),
    ('update credit_entries set amount = amount + 1 where kind = ''grant'''),
    ('update credit_entries set user_id = null'),
    ('update credit_entries set reason = ''x'', user_id = null'),
    ('delete from credit_entries'),
    ('truncate credit_entries')
) as a (command);
select lives_ok(
  'update users set plan_id = ''pro''', 'other columns of a user can be changed'
);

-- When a user with an open hold is deleted
create temporary table before as
select kind, amount, grant_id, hold_id, run_id, charged, reason, idempotency_key, created_at
from credit_entries
where user_id = (select ana from known);
delete from auth.users where id = (select ana from known);
select results_eq(
  $$ select kind, amount, grant_id, hold_id, run_id, charged, reason, idempotency_key, created_at
     from credit_entries where user_id is null order by 1, 2 $$,
  'select * from before order by 1, 2',
  'the ledger keeps the entries of a deleted user, without the user'
);
select is_empty(
  $$ select from credit_grants where user_id = (select ana from known)
     union all select from credit_holds where user_id = (select ana from known)
     union all select from app.credit_periods where user_id = (select ana from known)
     union all select from app.credit_hold_grants $$,
  'grants, holds and periods are deleted with the user'
);
select is(
  (select count(*) from app.runs where id = (select run from known)), 0::bigint,
  'the run of the open hold is deleted with the user'
);
select is(
  tests.refusal_of('update credit_entries set amount = 7 where user_id is null') ->> 'slug',
  'credits_protected',
  'refuses to change an entry of a deleted user'
);
select is(tests.balance_of(ben), '10 0 0', 'another user keeps their balance') from known;
select is_empty('select * from ops.credit_faults', 'all of it adds up');

select * from finish();
rollback;
