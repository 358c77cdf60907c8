-- Clients read assets that something they may see shows; nobody writes them through the API. The
-- sidecar and the worker write by functions. Which rows a client sees is a policy of each module
-- that shows assets.

revoke all on public.assets from anon, authenticated, service_role;

-- Every column, so that `select=*` works. The times are in app.asset_times. The hash tells
-- nothing new, because a client who may select a row may load the file and compute its hash.
grant select (
  id, name, hash, size_byte, mime_type, file_path, object_key, status
) on public.assets to anon, authenticated;
grant select on public.assets to service_role;
