-- A signed-in user reads their own orders and payments; service_role reads all of them; only
-- functions write these tables.

revoke all on public.orders, public.payments from anon, authenticated, service_role;

grant select (
  id, user_id, kind, item_id, item_name, amount_minor, currency, credits, period, status,
  checkout_url, refunded_minor, error, run_id, created_at, updated_at, opened_at, paid_at
) on public.orders to authenticated;
grant select on public.orders to service_role;

drop policy if exists select_own on public.orders;
create policy select_own on public.orders
  for select
  to authenticated
  using (user_id = (select auth.uid()));

grant select (
  id, order_id, user_id, source, kind, status, reason, transaction_id, amount_minor, currency,
  created_at, judged_at
) on public.payments to authenticated;
grant select on public.payments to service_role;

drop policy if exists select_own on public.payments;
create policy select_own on public.payments
  for select
  to authenticated
  using (user_id = (select auth.uid()));

-- The gate sends the hint to a caller who may not write the table.
insert into app.table_hints (table_name, hint)
values
  ('orders', 'Call create_order. Unpaid orders expire.'),
  ('payments', 'Only Paymob''s reports write payments.')
on conflict on constraint table_hints_pkey do update set hint = excluded.hint;
