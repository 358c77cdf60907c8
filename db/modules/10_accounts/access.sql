-- Anyone may read plans and credit packs, service_role writes them; a signed-in user may read their
-- own profile, API keys and notifications, which only functions write.

revoke all
  on public.plans, public.credit_packs, public.users, public.api_keys, public.notifications
  from anon, authenticated, service_role;

grant select (
  id, name, description, images_per_day, videos_per_day, bytes_stored, tasks_running, tasks_open,
  tasks_per_day, created_at, updated_at, price_minor, currency, period, credits_per_period,
  low_credits_at, dramas_per_day, dramas_open, enabled, sort
) on public.plans to anon, authenticated;
grant select, delete on public.plans to service_role;
grant insert (
  id, name, description, images_per_day, videos_per_day, bytes_stored, tasks_running, tasks_open,
  tasks_per_day, price_minor, currency, period, credits_per_period, low_credits_at, dramas_per_day,
  dramas_open, enabled, sort
) on public.plans to service_role;
-- With id, because an upsert writes every column of its row.
grant update (
  id, name, description, images_per_day, videos_per_day, bytes_stored, tasks_running, tasks_open,
  tasks_per_day, price_minor, currency, period, credits_per_period, low_credits_at, dramas_per_day,
  dramas_open, enabled, sort
) on public.plans to service_role;

drop policy if exists select_all on public.plans;
create policy select_all on public.plans
  for select
  to anon, authenticated
  using (true);

-- Disabled packs, too: Realtime sends no update of a row that a client may not read.
grant select (
  id, name, description, credits, price_minor, currency, enabled, sort, created_at, updated_at
) on public.credit_packs to anon, authenticated;
grant select, delete on public.credit_packs to service_role;
grant insert (id, name, description, credits, price_minor, currency, enabled, sort)
  on public.credit_packs to service_role;
grant update (id, name, description, credits, price_minor, currency, enabled, sort)
  on public.credit_packs to service_role;

drop policy if exists select_all on public.credit_packs;
create policy select_all on public.credit_packs
  for select
  to anon, authenticated
  using (true);

grant select (
  id, plan_id, plan_ends_at, credits, credits_held, credits_owed, created_at, updated_at
) on public.users to authenticated;
grant select on public.users to service_role;

drop policy if exists select_own on public.users;
create policy select_own on public.users
  for select
  to authenticated
  using (id = (select auth.uid()));

grant select (
  id, owner_id, name, prefix, scopes, created_at, expires_at, last_used_at, revoked_at, replaced_by
) on public.api_keys to authenticated, service_role;

drop policy if exists select_own on public.api_keys;
create policy select_own on public.api_keys
  for select
  to authenticated
  using (owner_id = (select auth.uid()));

grant select (id, user_id, kind, title, body, data, read_at, created_at)
  on public.notifications to authenticated;
grant select on public.notifications to service_role;

drop policy if exists select_own on public.notifications;
create policy select_own on public.notifications
  for select
  to authenticated
  using (user_id = (select auth.uid()));

-- The gate sends the hint to a caller who may not write the table.
insert into app.table_hints (table_name, hint)
values
  ('plans', 'Operators change plans.'),
  ('credit_packs', 'Operators change credit packs.'),
  ('users', 'create_order buys a plan or credits, and supabase.auth changes the account.'),
  ('api_keys', 'Call create_api_key, rotate_api_key or revoke_api_key.'),
  (
    'notifications',
    'Call mark_notification_read or mark_notifications_read. Plinth deletes old notifications.'
  )
on conflict on constraint table_hints_pkey do update set hint = excluded.hint;
