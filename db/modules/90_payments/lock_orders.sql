-- app.lock_orders
--
-- Errors      55P03: see app.lock_credits
-- Locks       the users of the orders, as app.lock_credits does, then the orders, lowest id first
-- Why         a payment changes rows only while it holds its order. The user is locked before the
--             order, because the deletion of a user locks in this order
create or replace function app.lock_orders(order_ids uuid[])
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
  v_user_ids uuid[];
begin
  if lock_orders.order_ids = '{}' then
    return;
  end if;

  v_user_ids := array(
    select distinct o.user_id
    from public.orders as o
    where o.id = any (lock_orders.order_ids) and o.user_id is not null
  );
  if v_user_ids <> '{}' then
    perform app.lock_credits(v_user_ids);
  end if;

  perform
  from public.orders as o
  where o.id = any (lock_orders.order_ids)
  order by o.id
  for no key update;
end
$$;

comment on function app.lock_orders(uuid[]) is 'Locks orders and the credits of their users.';
