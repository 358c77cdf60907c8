-- app.tg__lock_icons
--
-- Errors      PT422 asset_not_found
-- Locks       the assets, for share, lowest id first
create or replace function app.tg__lock_icons()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_asset_ids uuid[] := array(
    select distinct new_rows.icon_asset_id from new_rows where new_rows.icon_asset_id is not null
  );
begin
  if cardinality(v_asset_ids) > 0 then
    perform app.lock_assets(v_asset_ids);
  end if;

  return null;
end
$$;

comment on function app.tg__lock_icons() is
  'Locks the icons of new cards until commit, and refuses an icon that the worker is deleting.';
