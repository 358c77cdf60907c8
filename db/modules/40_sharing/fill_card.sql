-- app.fill_card
--
-- Why         viewers show these five extensions; all other fields belong to the author of the card
create or replace function app.fill_card(
  card json,
  icon_asset_id uuid,
  created_at timestamptz,
  updated_at timestamptz
)
  returns json
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_data json := fill_card.card -> 'data';
begin
  return app.merge_json(
    fill_card.card,
    json_build_object('data', app.merge_json(
      v_data,
      json_build_object('extensions', app.merge_json(
        v_data -> 'extensions',
        json_build_object(
          'icon_url', app.asset_url(fill_card.icon_asset_id),
          'cardSummary', v_data -> 'creator_notes',
          'version', v_data -> 'character_version',
          'createdAt', fill_card.created_at,
          'updatedAt', fill_card.updated_at
        )
      ))
    ))
  );
end
$$;

comment on function app.fill_card(json, uuid, timestamptz, timestamptz) is
$$Returns a parsed card with the extensions that viewers show.

Sets data.extensions.icon_url, cardSummary, version, createdAt and updatedAt.$$;
