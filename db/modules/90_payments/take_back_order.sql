-- app.take_back_order
--
-- Writes      orders, users; as app.take_back_credits, app.notify
-- Locks       the caller holds the order and its user
create or replace function app.take_back_order(order_id uuid, refunded integer, status text)
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
  v_order public.orders;
  v_done app.order_fulfilments;
begin
  update public.orders as o
  set refunded_minor = take_back_order.refunded, status = take_back_order.status
  where o.id = take_back_order.order_id
  returning o.* into v_order;
  select f.* into v_done
  from app.order_fulfilments as f
  where f.order_id = v_order.id;

  if v_done.grant_id is not null then
    perform app.take_back_credits(
      v_done.grant_id,
      -- From cumulative amounts, so that several parts round down once.
      (v_order.credits::bigint * v_order.refunded_minor / v_order.amount_minor)::integer,
      'Refund of an order'
    );
  end if;
  -- A refund of the whole order ends the period that it bought; a part of it does not.
  if v_order.kind = 'plan' and v_order.refunded_minor = v_order.amount_minor then
    update public.users as u
    set
      plan_ends_at = greatest(
        app.now(), u.plan_ends_at - (v_done.period_to - v_done.period_from)
      )
    where u.id = v_order.user_id
      and u.plan_id = v_order.item_id
      and u.plan_ends_at > app.now()
      -- Another plan that was bought later has ended the period already.
      and not exists (
        select
        from public.orders as o
        join app.order_fulfilments as f on f.order_id = any (array[o.id])
        where o.user_id = v_order.user_id
          and o.kind = 'plan'
          and o.item_id <> v_order.item_id
          and f.created_at > v_done.created_at
      );
  end if;
  perform app.notify(
    v_order.user_id,
    'order_refunded',
    'Your payment was refunded',
    format(
      case
        when v_order.refunded_minor = v_order.amount_minor
          then 'Your payment for %s was refunded.'
        else 'A part of your payment for %s was refunded.'
      end,
      v_order.item_name
    ),
    jsonb_build_object('order_id', v_order.id, 'refunded_minor', v_order.refunded_minor)
  );
end
$$;

comment on function app.take_back_order(uuid, integer, text) is
$$Takes back what a refunded order gave.

refunded: the sum of all refunds, in minor units. Takes floor(credits x refunded / paid) credits,
and the period of the plan if the whole order is refunded.$$;
