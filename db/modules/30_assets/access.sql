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

-- The gate sends the hint to a caller who may not write the table.
insert into app.table_hints (table_name, hint)
values
  ('assets', 'Upload the file to POST /api/assets. Plinth deletes files that nothing uses.')
on conflict on constraint table_hints_pkey do update set hint = excluded.hint;
