-- app.require_assets
--
-- Errors      PT422 asset_not_found
-- Locks       the assets, for share, lowest id first. The cleaner locks them for update: either it comes first, and the
--             asset counts as absent, or it passes over it.
create or replace function app.require_assets(asset_ids uuid[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_missing_id uuid;
begin
  perform
  from public.assets as a
  where a.id = any (require_assets.asset_ids)
  order by a.id
  for share;

  select wanted.id into v_missing_id
  from unnest(require_assets.asset_ids) as wanted (id)
  where wanted.id is not null
    and not exists (select from public.assets as a where a.id = wanted.id and a.status <> 'deleting')
  limit 1;
  if found then
    perform app.fail(
      422, 'asset_not_found', format('There is no asset %s.', v_missing_id), 'Upload the file, and use its assetId.'
    );
  end if;
end
$$;

comment on function app.require_assets(uuid[]) is 'Refuses assets that are not there any more, and holds the others. Null is no asset, and refuses nothing.';
