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
  v_messages json;
  v_fault text;
  v_greetings json[];
begin
  select * into v_scenario
  from public.scenarios as s
  where s.id = build_scenario_package.scenario_id;

  -- A single text counts as a list with one element, as in alternate_greetings of a card.
  v_messages := case json_typeof(v_scenario.first_messages)
    when 'string' then json_build_array(v_scenario.first_messages)
    else v_scenario.first_messages
  end;
  v_fault := case
    when json_typeof(v_messages) not in ('array', 'null') then 'first_messages must be an array.'
    when json_typeof(v_messages) = 'array' then (
      select format(
        'first_messages.%s must be a string, or an object with a description.', m.number - 1
      )
      from json_array_elements(v_messages) with ordinality as m (value, number)
      where json_typeof(m.value) = 'object' and m.value -> 'description' is null
      order by m.number
      limit 1
    )
  end;
  if v_fault is not null then
    perform app.fail(
      422, 'card_invalid', v_fault, 'Send strings, or objects with a description.'
    );
  end if;
  v_greetings := array(
    select case json_typeof(m.value) when 'object' then m.value -> 'description' else m.value end
    from json_array_elements(case json_typeof(v_messages) when 'array' then v_messages end)
      with ordinality as m (value, number)
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
