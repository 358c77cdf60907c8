-- Nobody writes assets through the API; the sidecar and the worker do, by functions. Whoever may see a card or a session
-- may see its icon, background and cover. (The icons inside a session have their URLs in its package.)

revoke all on public.assets from anon, authenticated, service_role;

-- Every column, so that `select=*` works; which rows, the policy says.
grant select (
  id, name, hash, size_byte, mime_type, file_path, object_key, status, used_at, status_at, created_at
) on public.assets to anon, authenticated;
grant select on public.assets to service_role;

-- The subqueries see these tables as the caller does: what was shared as public and is alive.
drop policy if exists select_public on public.assets;
create policy select_public on public.assets
  for select
  to anon, authenticated
  using (
    exists (select from public.characters as c where c.icon_asset_id = assets.id)
    or exists (select from public.scenarios as s where s.icon_asset_id = assets.id)
    or exists (select from public.sessions as s where s.background_id = assets.id)
    or exists (select from public.sessions as s where s.cover_id = assets.id)
  );
