-- Anyone may read the plans; a signed-in user may read their own profile; nobody writes either through the API.

revoke all on public.plans, public.users from anon, authenticated, service_role;

grant select (id, name, description, created_at, updated_at) on public.plans to anon, authenticated;
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
