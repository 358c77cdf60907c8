-- app.find_first_payments
--
-- Called by   app.record_first_payments
-- Why         skips a report in case of doubt, because app.record_payment can record every report,
--             and knows all reasons. Both use app.classify_payment
create or replace function app.find_first_payments(callbacks jsonb, order_ids uuid[])
  returns table (n bigint, callback jsonb, paymob_order_id bigint, paymob_order public.orders)
  language plpgsql
  stable
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
#variable_conflict use_column
begin
  return query
  with known as materialized (
    select
      c.n,
      c.callback,
      m.paymob_order_id,
      o.paymob_order,
      row_number() over (partition by m.order_id order by c.n) as of_order,
      row_number() over (partition by c.callback #>> '{signed,id}' order by c.n) as of_transaction
    from jsonb_array_elements(find_first_payments.callbacks) with ordinality as c (callback, n)
    -- Subqueries with offset 0, which the planner does not turn into joins: ADR 16.
    cross join lateral (
      select p.paymob_order_id, p.order_id
      from app.paymob_orders as p
      where p.paymob_order_id = any (
          array[
            case
              when c.callback #>> '{signed,order.id}' ~ '^[1-9][0-9]{0,17}$'
                then (c.callback #>> '{signed,order.id}')::bigint
            end
          ]
        )
      offset 0
    ) as m
    cross join lateral (
      select p as paymob_order
      from public.orders as p
      where p.id = any (array[m.order_id])
      offset 0
    ) as o
    where m.order_id = any (find_first_payments.order_ids)
  ),
  payable as materialized (
    select
      k.*,
      row_number() over (
        partition by (k.paymob_order).user_id, (k.paymob_order).kind order by k.n
      ) as of_kind,
      u.credits + sum((k.paymob_order).credits) over (partition by u.id) as credits
    from known as k
    cross join lateral (
      select p.id, p.credits
      from public.users as p
      where p.id = any (array[(k.paymob_order).user_id]) and p.credits_owed = 0
      offset 0
    ) as u
    where k.of_order = 1
      and k.of_transaction = 1
      and k.callback ->> 'type' = 'TRANSACTION'
      and jsonb_typeof(k.callback -> 'hints') = 'object'
      and k.callback ->> 'body' <> ''
      and k.callback ->> 'hmac' <> ''
      and not exists (
        select
        from public.payments as p
        where p.order_id = any (array[(k.paymob_order).id])
        offset 0
      )
      and not exists (
        select
        from app.order_fulfilments as f
        where f.order_id = any (array[(k.paymob_order).id])
        offset 0
      )
  )
  select p.n, p.callback, p.paymob_order_id, p.paymob_order
  from payable as p
  cross join lateral app.classify_payment(
    p.callback -> 'signed', p.callback -> 'hints', p.paymob_order, 'callback'
  ) as v
  where v.status = 'applied'
    and v.kind = 'payment'
    and p.credits <= 1000000000
    and not exists (
      select
      from app.order_fulfilments as f
      where f.transaction_id = any (array[(p.callback #>> '{signed,id}')::bigint])
      offset 0
    )
    and (
      (p.paymob_order).kind = 'credit_pack'
      or (
        p.of_kind = 1
        and exists (
          select from public.plans as l where l.id = any (array[(p.paymob_order).item_id]) offset 0
        )
      )
    );
end
$$;

comment on function app.find_first_payments(jsonb, uuid[]) is
$$Returns the callbacks that are the first report of an order, and pay for it.

callbacks: see sidecar.record_paymob_callbacks. order_ids: the orders that the caller has locked. n:
the place of the callback in the list, from 1. At most one callback per order and transaction, and
one order of a plan per user.$$;
