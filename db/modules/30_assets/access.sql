-- Clients read assets that something they may see shows; nobody writes them through the API. The
-- sidecar and the worker write by functions. Which rows a client sees is a policy of each module
-- that shows assets.

revoke all on public.assets from anon, authenticated, service_role;

-- Every column, so that `select=*` works.
grant select (
  id, name, hash, size_byte, mime_type, file_path, object_key, status, used_at, status_at,
  created_at
) on public.assets to anon, authenticated;
grant select on public.assets to service_role;
