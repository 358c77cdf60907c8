-- Attacks on credits: nobody writes credits through the API, and nobody reads credits of others.
begin;
select plan(57);
select tests.create_paid_type();
create temporary table known (ana uuid, ben uuid, run bigint);
insert into known (ana, ben)
select tests.create_user('ana@example.com'), tests.create_user('ben@example.com');
grant select on known to public;
select tests.grant_credits(ana, 10, 'order') from known;
select app.capture_hold(tests.submit_paid(ana, 2)) from known;
update known set run = tests.submit_paid(ana, 3);
create function pg_temp.attacks() returns table (command text) language sql as $$
  select replace(a.command, '$ana', quote_literal(k.ana))
  from known as k
  cross join (
    values
      ('update users set credits = 100'),
      ('update users set credits_held = 0'),
      ('update users set credits_owed = 0'),
      ('insert into credit_grants (user_id, source, amount) values ($ana, ''pack'', 100)'),
      ('update credit_grants set remaining = 100'),
      ('delete from credit_grants'),
      ('insert into credit_holds (user_id, run_id, amount, reason, expires_at)
        values ($ana, 1, 1, ''x'', now())'),
      ('update credit_holds set status = ''released'''),
      ('delete from credit_holds'),
      ('insert into credit_entries (user_id, kind, amount) values ($ana, ''grant'', 100)'),
      ('update credit_entries set amount = 100'),
      ('delete from credit_entries'),
      ('insert into credit_usage (user_id, credits) values ($ana, 1)'),
      ('delete from credit_usage'),
      ('select from app.credit_hold_grants'),
      ('select from app.credit_periods'),
      ('select from ops.credit_faults'),
      ('select app.grant_credits($ana, 1, ''pack'', null, null, ''k'')')
  ) as a (command);
$$;
grant execute on function pg_temp.attacks() to public;

-- When another user looks
select tests.sign_in((select ben from known));
select is_empty('select id from ' || name, format('hides %s of another user', name))
from (
  values ('credit_grants'), ('credit_holds'), ('credit_entries'), ('credit_usage')
) as a (name);

-- When the user looks
select tests.sign_in((select ana from known));
select is((select count(*) from credit_grants), 1::bigint, 'shows a user their grants');
select is((select count(*) from credit_holds), 2::bigint, 'shows a user their holds');
select is((select count(*) from credit_entries), 2::bigint, 'shows a user their ledger');
select is((select credits from credit_usage), 2, 'shows a user their charges');
select isnt(
  (select g.idempotency_key from credit_grants as g), null, 'shows a user the keys of their grants'
);

-- When users write
select throws_ok(command, '42501', null, format('refuses for a user: %s', left(command, 60)))
from pg_temp.attacks();
select throws_ok(
  'select adjust_credits(ana, 1, ''x'', ''x'') from known', '42501', null,
  'refuses adjust_credits for a user'
);
select tests.become('anon');
select throws_ok(
  'select id from ' || name, '42501', null, format('hides %s from anonymous callers', name)
)
from (
  values ('credit_grants'), ('credit_holds'), ('credit_entries'), ('credit_usage')
) as a (name);
select tests.become('service_role');
select throws_ok(command, '42501', null, format('refuses for service_role: %s', left(command, 60)))
from pg_temp.attacks();
select is((select count(*) from credit_usage), 1::bigint, 'lets service_role read charges');

-- When the worker's and the sidecar's door are open
reset role;
select is(
  has_table_privilege(r.role, t.name, 'insert, update, delete, select'), false,
  format('%s may do nothing with %s', r.role, t.name)
)
from (values ('worker'), ('sidecar')) as r (role)
cross join (
  values ('public.credit_entries'), ('public.credit_grants'), ('app.credit_hold_grants')
) as t (name);

select * from finish();
rollback;
