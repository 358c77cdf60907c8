-- Anyone may read the whole catalogue, disabled rows too, because Realtime sends no update of a row
-- that a client may not read; service_role writes it. A signed-in user reads and deletes their own
-- generations and changes is_favourite; functions write everything else.

revoke all on public.tools, public.hairstyles, public.colors from anon, authenticated, service_role;

grant select (
  id, key, name, description, category, kind, prompt, model, parameters, result_schema, cost,
  enabled, version, sort, created_at, updated_at
) on public.tools to anon, authenticated;
grant select (
  id, key, name, category, prompt, image_url, enabled, sort, created_at, updated_at
) on public.hairstyles to anon, authenticated;
grant select (id, key, name, category, hex, prompt, enabled, sort, created_at, updated_at)
  on public.colors to anon, authenticated;

grant select, delete on public.tools, public.hairstyles, public.colors to service_role;
grant insert (
  id, key, name, description, category, kind, prompt, model, parameters, result_schema, cost,
  enabled, sort
) on public.tools to service_role;
grant insert (id, key, name, category, prompt, image_url, enabled, sort)
  on public.hairstyles to service_role;
grant insert (id, key, name, category, hex, prompt, enabled, sort)
  on public.colors to service_role;
grant update (
  key, name, description, category, kind, prompt, model, parameters, result_schema, cost, enabled,
  sort
) on public.tools to service_role;
grant update (key, name, category, prompt, image_url, enabled, sort)
  on public.hairstyles to service_role;
grant update (key, name, category, hex, prompt, enabled, sort)
  on public.colors to service_role;

drop policy if exists select_all on public.tools;
create policy select_all on public.tools
  for select
  to anon, authenticated
  using (true);

drop policy if exists select_all on public.hairstyles;
create policy select_all on public.hairstyles
  for select
  to anon, authenticated
  using (true);

drop policy if exists select_all on public.colors;
create policy select_all on public.colors
  for select
  to anon, authenticated
  using (true);

revoke all on public.generations from anon, authenticated, service_role;

grant select (
  id, user_id, tool_id, tool_key, kind, status, tool_parameters, url, result, error, credits,
  is_favourite, run_id, created_at, updated_at, completed_at
) on public.generations to authenticated;
grant update (is_favourite) on public.generations to authenticated;
grant delete on public.generations to authenticated;
grant select on public.generations to service_role;

drop policy if exists select_own on public.generations;
create policy select_own on public.generations
  for select
  to authenticated
  using (user_id = (select auth.uid()));

drop policy if exists update_own on public.generations;
create policy update_own on public.generations
  for update
  to authenticated
  using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));

drop policy if exists delete_own on public.generations;
create policy delete_own on public.generations
  for delete
  to authenticated
  using (user_id = (select auth.uid()));
