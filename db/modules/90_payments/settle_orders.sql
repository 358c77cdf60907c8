-- app.settle_orders
--
-- Writes      orders, order_details
-- Locks       the orders, lowest id first; skips an order whose payment is being applied
create or replace function app.settle_orders(order_ids uuid[])
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
  v_expiry constant interval := (select s.order_expiry from app.settings as s);
  v_order_ids uuid[];
begin
  v_order_ids := array(
    select o.id
    from public.orders as o
    where o.id = any (settle_orders.order_ids)
    order by o.id
    for no key update skip locked
  );
  update public.orders as o
  set status = 'expired', error = 'The order was not paid in time. Create a new order.'
  where o.id = any (v_order_ids)
    and o.status in ('created', 'opened', 'failed')
    and o.created_at <= v_now - v_expiry;
  update app.order_details as d
  set
    billing = case when o.status = 'expired' then null else d.billing end,
    next_inquiry_at = case
      -- A refund whose amount an inquiry has to confirm.
      when o.paid_at is not null
        then (
          select v_now + interval '30 minutes'
          from public.payments as p
          where p.order_id = o.id
            and p.status = 'pending'
            and p.reason = 'inquiry_needed'
            and p.created_at > v_now - interval '1 day'
          limit 1
        )
      -- A late payment still counts, so Paymob is asked for a week.
      when o.created_at > v_now - interval '7 days' - v_expiry
        then v_now + least(interval '10 minutes' * (2 ^ least(d.inquiries, 8)), interval '1 day')
    end
  from public.orders as o
  where o.id = any (v_order_ids) and d.order_id = any (array[o.id]);
end
$$;

comment on function app.settle_orders(uuid[]) is
$$Ends orders that were not paid within app.settings.order_expiry, and sets the time of the next
inquiry at Paymob: after 10 minutes, then each time after twice as long, at most a day, for a week.
For a paid order, inquiries continue for a day while a refund is not confirmed.$$;
