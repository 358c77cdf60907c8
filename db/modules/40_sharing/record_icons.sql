-- app.tg_sessions__record_icons, app.tg__require_icons
--
-- Called by   trigger _100_record_icons on sessions; triggers _100_require_icons on characters and scenarios
-- Writes      session_icons
-- Errors      PT422 asset_not_found, session_invalid
-- Locks       the assets, for share, lowest id first
create or replace function app.tg_sessions__record_icons()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  perform app.require_assets(array(
    select i.icon_asset_id
    from new_rows
    cross join lateral app.find_icons(new_rows.all_cards) as i
    where i.icon_asset_id is not null
    union
    select shown.asset_id
    from new_rows
    cross join lateral (values (new_rows.background_id), (new_rows.cover_id)) as shown (asset_id)
    where shown.asset_id is not null
  ));

  insert into app.session_icons (session_id, asset_id)
  select distinct new_rows.id, i.icon_asset_id
  from new_rows
  cross join lateral app.find_icons(new_rows.all_cards) as i
  where i.icon_asset_id is not null;

  return null;
end
$$;

comment on function app.tg_sessions__record_icons() is 'Keeps what a session shows from being cleaned away.';

create or replace function app.tg__require_icons()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  perform app.require_assets(array(
    select distinct new_rows.icon_asset_id from new_rows where new_rows.icon_asset_id is not null
  ));

  return null;
end
$$;

comment on function app.tg__require_icons() is 'Refuses an icon that is being cleaned away.';

revoke execute on function app.tg_sessions__record_icons() from public;
revoke execute on function app.tg__require_icons() from public;
