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
  v_grants public.credit_grants[];
begin
  -- One statement, because the start of a statement costs as much as several of its rows.
  with bought as materialized (
    select
      o.id,
      o.user_id,
      o.kind,
      o.item_id,
      o.item_name,
      o.credits,
      f.transaction_id,
      f.parent_id,
      case when o.credits > 0 then gen_random_uuid() end as grant_id,
      b.period_from,
      b.period_from + o.period as period_to
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
  ),
  fulfilled as (
    insert into app.order_fulfilments (
      order_id, transaction_id, grant_id, period_from, period_to, created_at, parent_id
    )
    select b.id, b.transaction_id, b.grant_id, b.period_from, b.period_to, v_now, b.parent_id
    from bought as b
  ),
  renewed as (
    update public.users as u
    set plan_id = b.item_id, plan_ends_at = b.period_to
    from bought as b
    where b.period_to is not null and u.id = any (array[b.user_id])
  ),
  paid as (
    update public.orders as o
    set
      status = 'paid',
      paid_at = v_now,
      opened_at = coalesce(o.opened_at, v_now),
      error = null
    from bought as b
    where o.id = any (array[b.id])
  ),
  settled as (
    update app.order_details as d
    set next_inquiry_at = null
    from bought as b
    where d.order_id = any (array[b.id]) and d.next_inquiry_at is not null
  ),
  notified as (
    -- Does not call app.notify, which would lock each user again: the caller has locked the users.
    insert into public.notifications (user_id, kind, title, body, data, created_at)
    select
      b.user_id,
      'order_paid',
      'Thank you for your payment',
      format('You bought %s.', b.item_name),
      jsonb_build_object('order_id', b.id),
      v_now
    from bought as b
  )
  select
    array_agg(
      (
        b.grant_id, b.user_id, case b.kind when 'plan' then 'plan' else 'pack' end, b.credits,
        0, 0, 0, 0, b.id::text, b.id::text, b.period_to, v_now, null
      )::public.credit_grants
    ) filter (where b.grant_id is not null)
  into v_grants
  from bought as b;
  if v_grants is not null then
    perform app.insert_grants(v_grants, null);
  end if;
end
$$;

comment on function app.fulfil_orders(app.order_fulfilments[]) is
$$Gives users the credits and plans that their orders pay for, and sets the orders to paid.

fulfilments: rows with order_id, transaction_id and parent_id; the rest is computed. At most one
order of a plan per user, and several orders per user only if the user has no debt.$$;
