-- app.try_lock_orders
--
-- Locks       the users of the orders, then the orders, lowest id first; skips an order if another
--             transaction has locked the order or its user
create or replace function app.try_lock_orders(paymob_order_ids bigint[])
  returns uuid[]
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_user_ids uuid[];
begin
  v_user_ids := app.try_lock_credits(
    array(
      select distinct o.user_id
      from app.paymob_orders as m
      join public.orders as o on o.id = any (array[m.order_id])
      where m.paymob_order_id = any (try_lock_orders.paymob_order_ids) and o.user_id is not null
    )
  );

  return array(
    select o.id
    from public.orders as o
    where o.id = any (
        array(
          select m.order_id
          from app.paymob_orders as m
          where m.paymob_order_id = any (try_lock_orders.paymob_order_ids)
        )
      )
      and o.user_id = any (v_user_ids)
    order by o.id
    for no key update skip locked
  );
end
$$;

comment on function app.try_lock_orders(bigint[]) is
  'Locks the orders with these ids at Paymob and the credits of their users without waiting, and '
  'returns the ids of the locked orders. Leaves out orders of deleted users.';
