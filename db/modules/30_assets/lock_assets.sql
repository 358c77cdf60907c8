-- app.lock_assets
--
-- Errors      PT422 asset_not_found
-- Locks       the assets, for share, lowest id first. The cleaner locks them for update and skips
--             locked ones: either the cleaner comes first and the asset counts as absent, or it
--             skips the asset.
create or replace function app.lock_assets(asset_ids uuid[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_missing_id uuid;
begin
  -- Most cards show no asset. For an empty list, Postgres would plan each statement again.
  if cardinality(array_remove(lock_assets.asset_ids, null)) = 0 then
    return;
  end if;

  perform
  from public.assets as a
  where a.id = any (lock_assets.asset_ids)
  order by a.id
  for share;

  select wanted.id into v_missing_id
  from unnest(lock_assets.asset_ids) as wanted (id)
  where wanted.id is not null
    and not exists (
      select from public.assets as a where a.id = wanted.id and a.status <> 'deleting'
    )
  limit 1;
  if found then
    perform app.fail(
      422,
      'asset_not_found',
      format('Asset %s not found.', v_missing_id),
      'Upload the file again, and send the assetId of the answer.'
    );
  end if;
end
$$;

comment on function app.lock_assets(uuid[]) is
$$Locks assets until commit, so that the worker does not delete them before a row shows them.

asset_ids: nulls are ignored. 422 asset_not_found: an asset is missing or is being deleted.$$;
