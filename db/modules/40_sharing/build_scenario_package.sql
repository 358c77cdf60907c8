-- app.build_scenario_package
--
-- Errors      PT413 package_too_large, PT422 card_invalid, PT429 rate_limited
create or replace function app.build_scenario_package(scenario_id uuid)
  returns json
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_scenario public.scenarios;
  v_greetings json[];
begin
  select * into v_scenario
  from public.scenarios as s
  where s.id = build_scenario_package.scenario_id;

  if json_typeof(v_scenario.first_messages) not in ('array', 'null') then
    perform app.fail(
      422,
      'card_invalid',
      'first_messages must be an array.',
      'Send strings, or objects with a description.'
    );
  end if;
  v_greetings := array(
    select case json_typeof(m.value) when 'object' then m.value -> 'description' else m.value end
    from json_array_elements(
      case json_typeof(v_scenario.first_messages) when 'array' then v_scenario.first_messages end
    ) with ordinality as m (value, number)
    order by m.number
  );

  return app.fill_card(
    app.parse_card(json_build_object(
      'spec', 'chara_card_v2',
      'spec_version', '2.0',
      'data', json_build_object(
        'name', v_scenario.name,
        'description', v_scenario.description,
        'personality', '',
        'scenario', '',
        'first_mes', v_greetings[1],
        'mes_example', '',
        'creator_notes', v_scenario.card_summary,
        'system_prompt', '',
        'post_history_instructions', '',
        'alternate_greetings', to_json(v_greetings[2:]),
        'character_book', v_scenario.lorebook,
        'tags', v_scenario.tags,
        'creator', v_scenario.creator,
        'character_version', v_scenario.version,
        'extensions', json_build_object(
          'title', v_scenario.title,
          'conceptualOrigin', v_scenario.conceptual_origin
        )
      )
    )),
    v_scenario.icon_asset_id,
    v_scenario.created_at,
    v_scenario.updated_at
  );
end
$$;

comment on function app.build_scenario_package(uuid) is
$$Returns a row of scenarios as Character Card V2.

The first of first_messages becomes first_mes, the others become alternate_greetings.$$;
