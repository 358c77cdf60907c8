-- app.asset_url
create or replace function app.asset_url(asset_id uuid)
  returns text
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  -- For null, Postgres would plan the statement again.
  if asset_url.asset_id is null then
    return null;
  end if;

  return (select a.file_path from public.assets as a where a.id = asset_url.asset_id);
end
$$;

comment on function app.asset_url(uuid) is
  'Returns the URL of an asset, or null if the asset does not exist.';
