-- Anyone may read the plans; a signed-in user may read their own profile and API keys; only
-- functions write these tables.

revoke all on public.plans, public.users, public.api_keys from anon, authenticated, service_role;

grant select (
  id, name, description, images_per_day, videos_per_day, bytes_stored, tasks_running, tasks_open,
  tasks_per_day, created_at, updated_at
) on public.plans to anon, authenticated;
grant select on public.plans to service_role;

drop policy if exists select_all on public.plans;
create policy select_all on public.plans
  for select
  to anon, authenticated
  using (true);

grant select (id, plan_id, credits, created_at, updated_at) on public.users to authenticated;
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
