-- app.refuse_opening
--
-- Called by   app.record_opened_orders
-- Writes      orders, order_details, payments, payment_callbacks
-- Locks       the caller holds the order and its user
-- Why         a payment with this id pays the other order. So the customer must not get a checkout
--             page for this order, and an operator must check both orders in Paymob's dashboard
create or replace function app.refuse_opening(order_id uuid, paymob_order_id bigint)
  returns void
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_now constant timestamptz := app.now();
  v_payment_id uuid := gen_random_uuid();
  v_order public.orders;
begin
  select o.* into v_order
  from public.orders as o
  where o.id = refuse_opening.order_id;
  update public.orders as o
  set status = 'failed', error = 'Paymob returned the id of another order. Create a new order.'
  where o.id = v_order.id and o.status in ('created', 'opened');
  update app.order_details as d
  set billing = null
  where d.order_id = v_order.id;
  insert into public.payments (
    id, order_id, user_id, source, kind, status, reason, amount_minor, currency, created_at,
    judged_at
  )
  values (
    v_payment_id, v_order.id, v_order.user_id, 'opening', 'unknown', 'suspicious',
    'paymob_order_taken', v_order.amount_minor, v_order.currency, v_now, v_now
  );
  insert into app.payment_callbacks (
    payment_id, hmac, digest, paymob_order_id, merchant_order_id, body, signed, hints,
    last_received_at
  )
  values (
    v_payment_id, 'opening', sha256(convert_to(v_payment_id::text, 'UTF8')),
    refuse_opening.paymob_order_id, v_order.id::text, '', '{}', '{}', v_now
  );
end
$$;

comment on function app.refuse_opening(uuid, bigint) is
  'Fails an order that got the id of another order from Paymob, and shows the case in '
  'ops.suspicious_payments.';
