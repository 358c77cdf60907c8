-- Attacks on payments: nobody writes orders and reports through the API, and nobody reads those of
-- others.
begin;
select plan(79);
create temporary table known (ana uuid, ben uuid, purchase uuid, report uuid);
insert into known (ana, ben)
select tests.create_user('ana@example.com'), tests.create_user('ben@example.com');
update app.settings
set paymob_integration_ids = '{6741}', paymob_owner_id = 4705;
insert into public.credit_packs (id, name, credits, price_minor) values ('seven', 'Seven', 7, 4900);
create function pg_temp.buy(key text) returns uuid language sql as $$
  select id from public.create_order(
    'credit_pack', 'seven',
    '{"first_name": "A", "last_name": "B", "email": "a@b.c", "phone": "+201000000000"}', key
  )
$$;
grant execute on function pg_temp.buy(text) to public;
grant select on known to public;
select tests.sign_in(ana) from known;
select pg_temp.buy('k');
reset role;
update known set purchase = (select o.id from public.orders as o);
update known
set report = (
  sidecar.record_paymob_callback(
    jsonb_build_object(
      'type', 'TRANSACTION', 'hmac', 'x', 'body', '{}', 'signed', '{"id": "1"}'::jsonb,
      'hints', jsonb_build_object('merchant_order_id', purchase)
    )
  ) ->> 'payment_id'
)::uuid;
update public.payments set user_id = ana, order_id = purchase from known where id = report;

create function pg_temp.attacks() returns table (command text) language sql as $$
  select replace(
    replace(a.command, '$ana', quote_literal(k.ana)), '$order', quote_literal(k.purchase)
  )
  from known as k
  cross join (
    values
      ('insert into orders (user_id, kind, item_id, item_name, amount_minor, currency, credits,
        status, paid_at)
        values ($ana, ''credit_pack'', ''seven'', ''x'', 1, ''EGP'', 9, ''paid'', now())'),
      ('update orders set status = ''paid'', paid_at = now()'),
      ('update orders set amount_minor = 1'),
      ('delete from orders'),
      ('truncate orders cascade'),
      ('insert into payments (order_id, user_id, source, kind, status)
        values ($order, $ana, ''callback'', ''payment'', ''applied'')'),
      ('update payments set status = ''applied'''),
      ('delete from payments'),
      ('select from app.order_details'),
      ('update app.order_details set billing = null'),
      ('select from app.payment_callbacks'),
      ('insert into app.paymob_orders values (1, $order, now())'),
      ('select from app.order_fulfilments'),
      ('select from app.order_refunds'),
      ('select from app.plan_notices'),
      ('select from ops.suspicious_payments'),
      ('update app.settings set paymob_owner_id = 1'),
      ('select sidecar.record_paymob_callback(''{}'')'),
      ('select sidecar.record_paymob_callbacks(''[{}]'')'),
      ('select worker.read_order(1, 1)'),
      ('select app.record_payment(''inquiry'', ''TRANSACTION'', ''x'', ''x'', ''{}'', ''{}'')'),
      ('select app.fulfil_orders(''{}'')'),
      ('select app.inquire_orders()')
  ) as a (command);
$$;
grant execute on function pg_temp.attacks() to public;

-- When another user looks
select tests.sign_in((select ben from known));
select is_empty('select id from ' || name, format('hides %s of another user', name))
from (values ('orders'), ('payments')) as a (name);
select is(
  (select count(*) from public.create_order(
    'credit_pack', 'seven',
    '{"first_name": "A", "last_name": "B", "email": "a@b.c", "phone": "+201000000000"}', 'k'
  ) as o where o.id = (select purchase from known)),
  0::bigint,
  'gives another user with the same idempotency key an order of their own'
);

-- When the user looks
select tests.sign_in((select ana from known));
select is((select count(*) from orders), 1::bigint, 'shows a user their orders');
select is((select count(*) from payments), 1::bigint, 'shows a user their reports');

-- When users write
select throws_ok(command, '42501', null, format('refuses for a user: %s', left(command, 60)))
from pg_temp.attacks();
select throws_ok(
  'select replay_callback(report) from known', '42501', null, 'refuses replay_callback for a user'
);
select tests.become('anon');
select throws_ok(
  'select id from ' || name, '42501', null, format('hides %s from anonymous callers', name)
)
from (values ('orders'), ('payments')) as a (name);
select throws_ok(
  'select pg_temp.buy(''anon'')', null, null, 'refuses create_order for anonymous callers'
);
select throws_ok(
  'select replay_callback(report) from known', '42501', null, 'refuses replay_callback for anon'
);
select tests.become('service_role');
select throws_ok(command, '42501', null, format('refuses for service_role: %s', left(command, 60)))
from pg_temp.attacks();
select is((select count(*) from payments), 1::bigint, 'shows service_role all reports');
select throws_ok(
  'select pg_temp.buy(''service'')', null, null, 'refuses create_order without a user'
);
select lives_ok(
  'select replay_callback(report) from known', 'lets service_role judge a report again'
);

-- When the worker's and the sidecar's door are open
select tests.become('worker');
select throws_ok(
  'select worker.read_order((select j.id from public.jobs as j limit 1), 1)', '42501', null,
  'hides jobs from the worker'
);
select throws_ok(
  'select worker.read_order(1, 1)', 'PT409', null,
  'refuses an order whose step the worker does not hold'
);
select throws_ok(
  'select sidecar.record_paymob_callback(''{}'')', '42501', null,
  'keeps the worker out of the sidecar''s door'
);
select tests.become('sidecar');
select throws_ok(
  'select worker.read_order(1, 1)', '42501', null, 'keeps the sidecar out of the worker''s door'
);
reset role;
select is(
  has_table_privilege(r.role, t.name, 'insert, update, delete, select'), false,
  format('%s may do nothing with %s', r.role, t.name)
)
from (values ('worker'), ('sidecar')) as r (role)
cross join (
  values ('orders'), ('payments'), ('app.order_details'), ('app.payment_callbacks'),
    ('app.paymob_orders'), ('app.order_fulfilments'), ('app.order_refunds'), ('app.plan_notices')
) as t (name);

select * from finish();
rollback;
