-- A signed-in user reads their own grants, holds and ledger; service_role reads all of them; only
-- app.apply_credits writes them.

revoke all on sequence public.credit_entries_id_seq from anon, authenticated, service_role;
revoke all on public.credit_grants, public.credit_holds, public.credit_entries
  from anon, authenticated, service_role;

grant select (
  id, user_id, source, amount, remaining, reserved, taken_back, due, reference, idempotency_key,
  expires_at, created_at, ended_at
) on public.credit_grants to authenticated;
grant select on public.credit_grants to service_role;

drop policy if exists select_own on public.credit_grants;
create policy select_own on public.credit_grants
  for select
  to authenticated
  using (user_id = (select auth.uid()));

grant select (id, user_id, run_id, amount, reason, status, expires_at, created_at, ended_at)
  on public.credit_holds to authenticated;
grant select on public.credit_holds to service_role;

drop policy if exists select_own on public.credit_holds;
create policy select_own on public.credit_holds
  for select
  to authenticated
  using (user_id = (select auth.uid()));

grant select (
  id, user_id, kind, amount, grant_id, hold_id, run_id, charged, reason, idempotency_key, created_at
) on public.credit_entries to authenticated;
grant select on public.credit_entries to service_role;

drop policy if exists select_own on public.credit_entries;
create policy select_own on public.credit_entries
  for select
  to authenticated
  using (user_id = (select auth.uid()));

-- The gate sends the hint to a caller who may not write the table.
insert into app.table_hints (table_name, hint)
values
  ('credit_grants', 'Call create_order to buy credits.'),
  ('credit_holds', 'Call create_order to buy credits.'),
  ('credit_entries', 'Call create_order to buy credits.'),
  ('credit_usage', 'Call create_order to buy credits.')
on conflict on constraint table_hints_pkey do update set hint = excluded.hint;
