-- app.record_first_payments
--
-- Called by   sidecar.record_paymob_callbacks
-- Writes      payments, payment_callbacks; as app.fulfil_orders
-- Locks       the caller holds the orders and their users
-- Why         most orders get a single report, their payment. One set of statements for many
--             reports is cheaper than app.record_payment, which needs about 60 statements per
--             report
create or replace function app.record_first_payments(callbacks jsonb, order_ids uuid[])
  returns table (n bigint, payment_id uuid)
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  v_now constant timestamptz := app.now();
  v_numbers bigint[];
  v_payment_ids uuid[];
  v_fulfilments app.order_fulfilments[];
begin
  with counting as materialized (
    select
      f.n,
      f.callback,
      f.paymob_order_id,
      f.paymob_order,
      gen_random_uuid() as payment_id,
      (f.callback #>> '{signed,id}')::bigint as transaction_id
    from app.find_first_payments(
      record_first_payments.callbacks, record_first_payments.order_ids
    ) as f
  ),
  stored as (
    insert into app.payment_callbacks (
      payment_id, hmac, digest, paymob_order_id, merchant_order_id, body, signed, hints,
      last_received_at
    )
    select
      c.payment_id,
      left(c.callback ->> 'hmac', 200),
      sha256(convert_to(c.callback ->> 'body', 'UTF8')),
      c.paymob_order_id,
      left(c.callback #>> '{hints,merchant_order_id}', 200),
      c.callback ->> 'body',
      c.callback -> 'signed',
      c.callback -> 'hints',
      v_now
    from counting as c
  ),
  paid as (
    insert into public.payments (
      id, order_id, user_id, source, kind, status, transaction_id, amount_minor, currency,
      created_at, judged_at
    )
    select
      c.payment_id,
      (c.paymob_order).id,
      (c.paymob_order).user_id,
      'callback',
      'payment',
      'applied',
      c.transaction_id,
      (c.paymob_order).amount_minor,
      (c.paymob_order).currency,
      v_now,
      v_now
    from counting as c
  )
  select
    array_agg(c.n order by c.n),
    array_agg(c.payment_id order by c.n),
    array_agg(
      (
        (c.paymob_order).id, c.transaction_id, null, null, null, v_now, null
      )::app.order_fulfilments
    )
  into v_numbers, v_payment_ids, v_fulfilments
  from counting as c;
  if v_numbers is null then
    return;
  end if;
  -- Checks the key of payment_callbacks here, where the plan of the check is an index lookup.
  set constraints all immediate;
  set constraints all deferred;
  perform app.fulfil_orders(v_fulfilments);

  return query
  select p.n, p.payment_id
  from unnest(v_numbers, v_payment_ids) as p (n, payment_id);
end
$$;

comment on function app.record_first_payments(jsonb, uuid[]) is
$$Stores and applies the callbacks that are the first report of an order, and pay for it.

callbacks: see sidecar.record_paymob_callbacks. order_ids: the orders that the caller has locked.
Returns the place of each such callback in the list, from 1, and its payment.$$;
