-- app.inquire_orders
--
-- Called by   schedule inquire-orders
-- Writes      orders, order_details; as app.submit_run
-- Locks       the details of the orders, with skip locked
create or replace function app.inquire_orders()
  returns integer
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
  v_order_ids uuid[];
  v_asked jsonb;
begin
  v_order_ids := array(
    select d.order_id
    from app.order_details as d
    where d.next_inquiry_at <= v_now
    order by d.next_inquiry_at
    limit 50
    for update skip locked
  );
  if v_order_ids = '{}' then
    return 0;
  end if;

  -- settle_orders skips an order while its payment is being applied, and sets no next time.
  update app.order_details as d
  set next_inquiry_at = v_now + interval '30 minutes', inquiries = d.inquiries + 1
  where d.order_id = any (v_order_ids);
  select jsonb_agg(jsonb_build_object('order_id', m.order_id, 'paymob_order_id', m.paymob_order_id))
  into v_asked
  from app.paymob_orders as m
  where m.order_id = any (v_order_ids);
  -- app.record_inquiries settles the orders, too. This call ends orders while Paymob is down.
  perform app.settle_orders(v_order_ids);
  if v_asked is not null then
    perform app.submit_run(
      jsonb_build_object(
        'key', 'inquire', 'type', 'inquire_orders', 'input', jsonb_build_object('orders', v_asked)
      ),
      null,
      null
    );
  end if;

  return cardinality(v_order_ids);
end
$$;

comment on function app.inquire_orders() is
$$Asks Paymob about up to 50 orders that are due: open for too long, or with a report that an
inquiry has to confirm. Returns the number of orders.$$;
