-- app.complete_card
--
-- Why         these five extensions are ours; what else stands in the card is its author's
create or replace function app.complete_card(card json, icon_asset_id uuid, created_at timestamptz, updated_at timestamptz)
  returns json
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_data json := complete_card.card -> 'data';
begin
  return app.merge_json(
    complete_card.card,
    json_build_object('data', app.merge_json(
      v_data,
      json_build_object('extensions', app.merge_json(
        v_data -> 'extensions',
        json_build_object(
          'icon_url', app.asset_url(complete_card.icon_asset_id),
          'cardSummary', v_data -> 'creator_notes',
          'version', v_data -> 'character_version',
          'createdAt', complete_card.created_at,
          'updatedAt', complete_card.updated_at
        )
      ))
    ))
  );
end
$$;

comment on function app.complete_card(json, uuid, timestamptz, timestamptz) is 'A card with the extensions that a viewer shows.';
