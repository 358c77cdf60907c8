-- app.fulfil_orders
--
-- Called by   app.fulfil_order, app.record_first_payments, which have checked the orders
-- Writes      orders, order_details, order_fulfilments, users, notifications; as app.insert_grants
-- Errors      23505, if an order or a transaction is fulfilled already; 23503, if a plan is missing
-- Locks       the caller holds the orders and their users
create or replace function app.fulfil_orders(fulfilments app.order_fulfilments[])
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
  v_done app.order_fulfilments[];
begin
  v_done := array(
    select (
      o.id,
      f.transaction_id,
      case when o.credits > 0 then gen_random_uuid() end,
      b.period_from,
      b.period_from + o.period,
      v_now,
      f.parent_id
    )::app.order_fulfilments
    from unnest(fulfil_orders.fulfilments) as f
    join public.orders as o on o.id = any (array[f.order_id])
    join public.users as u on u.id = any (array[o.user_id])
    cross join lateral (
      select case
        when o.kind <> 'plan' then null
        -- A renewal continues the plan. Another plan replaces the current plan at once.
        when u.plan_id = o.item_id then greatest(u.plan_ends_at, v_now)
        else v_now
      end as period_from
    ) as b
  );
  insert into app.order_fulfilments
  select f.*
  from unnest(v_done) as f;

  update public.users as u
  set plan_id = o.item_id, plan_ends_at = f.period_to
  from unnest(v_done) as f
  join public.orders as o on o.id = any (array[f.order_id])
  where f.period_to is not null and u.id = any (array[o.user_id]);
  perform app.insert_grants(g.new_grants, null)
  from (
    select array_agg(
      (
        f.grant_id, o.user_id, case o.kind when 'plan' then 'plan' else 'pack' end, o.credits,
        0, 0, 0, 0, o.id::text, o.id::text, f.period_to, v_now, null
      )::public.credit_grants
    ) as new_grants
    from unnest(v_done) as f
    join public.orders as o on o.id = any (array[f.order_id])
    where f.grant_id is not null
  ) as g
  where g.new_grants is not null;

  update public.orders as o
  set
    status = 'paid',
    paid_at = v_now,
    opened_at = coalesce(o.opened_at, v_now),
    error = null
  from unnest(v_done) as f
  where o.id = any (array[f.order_id]);
  update app.order_details as d
  set next_inquiry_at = null
  from unnest(v_done) as f
  where d.order_id = any (array[f.order_id]) and d.next_inquiry_at is not null;
  -- One statement for all of them, and not app.notify for each: the caller holds the users.
  insert into public.notifications (user_id, kind, title, body, data, created_at)
  select
    o.user_id,
    'order_paid',
    'Thank you for your payment',
    format('You bought %s.', o.item_name),
    jsonb_build_object('order_id', o.id),
    v_now
  from unnest(v_done) as f
  join public.orders as o on o.id = any (array[f.order_id]);
end
$$;

comment on function app.fulfil_orders(app.order_fulfilments[]) is
$$Gives users the credits and plans that their orders pay for, and sets the orders to paid.

fulfilments: rows with order_id, transaction_id and parent_id; the rest is computed. At most one
order of a plan per user, and several orders per user only if the user has no debt.$$;
