-- app.export_orders
create or replace function app.export_orders(user_id uuid)
  returns setof json
  language sql
  stable
  set search_path = ''
as $$
  select json_build_object(
    'order', row_to_json(o),
    'billing', d.billing,
    'payments', (
      select coalesce(json_agg(row_to_json(p) order by p.created_at, p.id), '[]')
      from public.payments as p
      where p.order_id = o.id
    )
  )
  from public.orders as o
  left join app.order_details as d on d.order_id = o.id
  where o.user_id = export_orders.user_id
  order by o.created_at, o.id
$$;

comment on function app.export_orders(uuid) is
  'Returns the orders of a user with their payments, for app.export_user_data.';
