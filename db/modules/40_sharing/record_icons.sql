-- app.tg_sessions__record_icons, app.tg__require_icons
--
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
declare
  v_session_ids uuid[];
  v_asset_ids uuid[];
begin
  -- It says what is wrong with the first of them. (Not asked of every row: there may be many.)
  perform app.find_icons(new_rows.all_cards)
  from new_rows
  where json_array_length(new_rows.all_cards) > 1000 or exists (
    select
    from json_array_elements(new_rows.all_cards) as card
    where case json_typeof(card.value)
      when 'object' then not coalesce(app.is_uuid(card.value ->> 'icon_asset_id'), true)
      else true
    end
  );

  select array_agg(icons.session_id), array_agg(icons.asset_id) into v_session_ids, v_asset_ids
  from (
    select distinct new_rows.id as session_id, (card.value ->> 'icon_asset_id')::uuid as asset_id
    from new_rows
    cross join lateral json_array_elements(new_rows.all_cards) as card
    where card.value ->> 'icon_asset_id' is not null
  ) as icons;

  perform app.require_assets(array(
    select icon.asset_id from unnest(v_asset_ids) as icon (asset_id)
    union
    select shown.asset_id
    from new_rows
    cross join lateral (values (new_rows.background_id), (new_rows.cover_id)) as shown (asset_id)
    where shown.asset_id is not null
  ));

  insert into app.session_icons (session_id, asset_id)
  select icon.session_id, icon.asset_id
  from unnest(v_session_ids, v_asset_ids) as icon (session_id, asset_id);

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
