-- app.build_character_package
--
-- Errors      PT413 package_too_large, PT422 card_invalid, PT429 rate_limited
create or replace function app.build_character_package(character_id uuid)
  returns json
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_character public.characters;
begin
  select * into v_character
  from public.characters as c
  where c.id = build_character_package.character_id;

  return app.fill_card(
    app.parse_card(json_build_object(
      'spec', 'chara_card_v2',
      'spec_version', '2.0',
      'data', json_build_object(
        'name', v_character.name,
        'description', v_character.description,
        'personality', '',
        'scenario', '',
        'first_mes', '',
        'mes_example', v_character.example_dialogue,
        'creator_notes', v_character.card_summary,
        'system_prompt', '',
        'post_history_instructions', '',
        'alternate_greetings', '[]'::json,
        'character_book', v_character.lorebook,
        'tags', v_character.tags,
        'creator', v_character.creator,
        'character_version', v_character.version,
        'extensions', json_build_object(
          'title', v_character.title,
          'conceptualOrigin', v_character.conceptual_origin
        )
      )
    )),
    v_character.icon_asset_id,
    v_character.created_at,
    v_character.updated_at
  );
end
$$;

comment on function app.build_character_package(uuid) is
  'Returns a row of characters as Character Card V2.';
