-- app.rename_card_fields
--
-- Why         the fields of a card have other names in files of Pygmalion's editors (char_name),
--             Agnai (greeting), Backyard (aiPersona) and in old files of SillyTavern
--             (creatorcomment). Each field gets one value; the other names stay, so nothing is lost
create or replace function app.rename_card_fields(fields json)
  returns json
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  v_fields json := rename_card_fields.fields;
  -- Names of fields in other formats, each with its rank and the field of V2.
  v_names jsonb := jsonb '{
    "char_name": [1, "name"],
    "aiDisplayName": [2, "name"],
    "aiName": [3, "name"],
    "displayName": [4, "name"],
    "char_persona": [1, "description"],
    "aiPersona": [2, "description"],
    "persona": [3, "description"],
    "context": [4, "description"],
    "char_greeting": [1, "first_mes"],
    "greeting": [2, "first_mes"],
    "firstMessage": [3, "first_mes"],
    "first_message": [4, "first_mes"],
    "world_scenario": [1, "scenario"],
    "example_dialogue": [1, "mes_example"],
    "sampleChat": [2, "mes_example"],
    "customDialogue": [3, "mes_example"],
    "example_dialogs": [4, "mes_example"],
    "creatorcomment": [1, "creator_notes"],
    "systemPrompt": [1, "system_prompt"],
    "basePrompt": [2, "system_prompt"],
    "postHistoryInstructions": [1, "post_history_instructions"],
    "alternateGreetings": [1, "alternate_greetings"],
    "characterBook": [1, "character_book"],
    "loreItems": [2, "character_book"],
    "characterVersion": [1, "character_version"]
  }';
begin
  -- Most cards have only names of V2, and each name once. These cards do not change.
  if (
    select
      count(*) = count(distinct f.key collate "C")
      and not coalesce(bool_or(v_names ? f.key), false)
    from json_object_keys(v_fields) as f (key)
  ) then
    return v_fields;
  end if;

  -- Agnai calls the description of V2 persona, and a note of the author description.
  if json_typeof(v_fields #> '{persona,attributes}') = 'object'
    and v_fields -> 'first_mes' is null
    and (v_fields -> 'greeting' is not null or v_fields ->> 'kind' = 'character')
  then
    v_fields := app.merge_json(
      case
        when v_fields -> 'creator_notes' is null and v_fields -> 'description' is not null
          then app.merge_json(
            v_fields, json_build_object('creator_notes', v_fields -> 'description')
          )
        else v_fields
      end,
      json_build_object('description', app.describe_persona(v_fields #> '{persona,attributes}'))
    );
  end if;

  return (
    with
    -- The last of several fields with the same name counts, as in every client.
    own as (
      select distinct on (f.key collate "C")
        f.key,
        f.value,
        f.position,
        case
          when f.key <> 'persona' or json_typeof(f.value) = 'string' then v_names -> f.key
        end as alias
      from json_each(v_fields) with ordinality as f (key, value, position)
      order by f.key collate "C", f.position desc
    ),
    ranked as (
      select
        o.key as name,
        o.value,
        o.position,
        coalesce(o.alias ->> 1, o.key) as key,
        row_number() over (
          partition by coalesce(o.alias ->> 1, o.key) collate "C"
          order by json_typeof(o.value) = 'null', (o.alias -> 0)::integer nulls first
        ) as place
      from own as o
    )
    select coalesce(
      json_object_agg(
        case r.place when 1 then r.key else r.name end, r.value order by r.position
      ),
      '{}'
    )
    from ranked as r
    where r.place = 1 or r.name <> r.key
  );
end
$$;

comment on function app.rename_card_fields(json) is
$$Returns the fields of a character card under the names of Character Card V2.

A field of V2 that is absent or null gets the value of the same field of another editor. All other
fields keep their names.$$;
