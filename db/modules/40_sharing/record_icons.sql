-- app.tg_sessions__record_icons
--
-- Writes      session_icons
-- Errors      PT422 asset_not_found, session_invalid
-- Locks       the assets, for share, lowest id first
-- Why         icons are inside all_cards, where no foreign key can refer to them
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
  -- Parses a session only to name its fault: a statement may insert many sessions.
  perform app.parse_session_cards(new_rows.all_cards)
  from new_rows
  where json_array_length(new_rows.all_cards) > app.get_share_limit('session_cards') or exists (
    select
    from json_array_elements(new_rows.all_cards) as card
    where app.find_card_fault(card.value, 0) is not null
  );
  if exists (
    select
    from new_rows
    where new_rows.sealed_at is null
      and coalesce(btrim(new_rows.title), '') = ''
      and json_array_length(new_rows.all_cards) = 0
      and app.is_empty_session(json_build_object(
        'user_character_card_id', new_rows.user_character_card_id,
        'turn_ids', new_rows.turn_ids,
        'background_id', new_rows.background_id,
        'cover_id', new_rows.cover_id,
        'translation', new_rows.translation,
        'chat_styles', new_rows.chat_styles,
        'flow_id', new_rows.flow_id
      ))
  ) then
    perform app.fail(
      422,
      'session_invalid',
      'A session must have a title, a card, or another field that is not empty.',
      'Insert the session as the client stores it.'
    );
  end if;

  select array_agg(icons.session_id), array_agg(icons.asset_id) into v_session_ids, v_asset_ids
  from (
    select distinct new_rows.id as session_id, (card.value ->> 'icon_asset_id')::uuid as asset_id
    from new_rows
    cross join lateral json_array_elements(new_rows.all_cards) as card
    where card.value ->> 'icon_asset_id' is not null
  ) as icons;

  perform app.lock_assets(array(
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

comment on function app.tg_sessions__record_icons() is
  'Locks the assets of new sessions, and records the icons inside their cards.';
