-- app.find_paymob_order
create or replace function app.find_paymob_order(paymob_order_id bigint)
  returns public.orders
  language plpgsql
  stable
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_order public.orders;
begin
  select o.* into v_order
  from app.paymob_orders as m
  join public.orders as o on o.id = any (array[m.order_id])
  where m.paymob_order_id = find_paymob_order.paymob_order_id;

  return v_order;
end
$$;

comment on function app.find_paymob_order(bigint) is
  'Returns the order that has this id at Paymob, or a row of nulls.';
