-- A user is told once when their credits run low.
begin;
select plan(6);
select tests.announce_versions();
select tests.create_paid_type();
update plans set low_credits_at = 5 where id = 'free';
create temporary table known (ana uuid, run bigint);
insert into known (ana) select tests.create_user('ana@example.com');
select tests.grant_credits(ana, 10, 'order') from known;
create function pg_temp.spend(amount integer) returns void language sql as $$
  select app.capture_hold(tests.submit_paid(ana, spend.amount)) from known;
$$;

select pg_temp.spend(4);
select is_empty('select from notifications', 'six credits are not low');
select pg_temp.spend(1);
select results_eq(
  'select user_id, kind, body, data from notifications',
  $$ select ana, 'credits_low', 'You have 5 credits left.',
     '{"credits": 5, "low_credits_at": 5}'::jsonb from known $$,
  'tells the user that credits run low'
);
select pg_temp.spend(2);
select is((select count(*) from notifications), 1::bigint, 'tells the user once');
select tests.grant_credits(ana, 10, 'order 2') from known;
select pg_temp.spend(12);
select results_eq(
  'select body from notifications order by body',
  $$ values ('You have 1 credit left.'), ('You have 5 credits left.') $$,
  'tells the user again, in the singular for one credit'
);
select tests.grant_credits(ana, 10, 'day', '1 day') from known;
select tests.travel('2 days');
select app.expire_credits();
select is((select count(*) from notifications), 2::bigint, 'the end of a period sends no notice');
select is_empty('select * from ops.credit_faults', 'all of it adds up');

select * from finish();
rollback;
