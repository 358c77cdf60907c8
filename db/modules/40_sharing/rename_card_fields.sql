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
begin
  -- Agnai: the persona is what V2 calls the description, and the description is a note.
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
    with alias (rank, name, key) as (
      values
        (1, 'char_name', 'name'),
        (2, 'aiDisplayName', 'name'),
        (3, 'aiName', 'name'),
        (4, 'displayName', 'name'),
        (1, 'char_persona', 'description'),
        (2, 'aiPersona', 'description'),
        (3, 'persona', 'description'),
        (4, 'context', 'description'),
        (1, 'char_greeting', 'first_mes'),
        (2, 'greeting', 'first_mes'),
        (3, 'firstMessage', 'first_mes'),
        (4, 'first_message', 'first_mes'),
        (1, 'world_scenario', 'scenario'),
        (1, 'example_dialogue', 'mes_example'),
        (2, 'sampleChat', 'mes_example'),
        (3, 'customDialogue', 'mes_example'),
        (4, 'example_dialogs', 'mes_example'),
        (1, 'creatorcomment', 'creator_notes'),
        (1, 'systemPrompt', 'system_prompt'),
        (2, 'basePrompt', 'system_prompt'),
        (1, 'postHistoryInstructions', 'post_history_instructions'),
        (1, 'alternateGreetings', 'alternate_greetings'),
        (1, 'characterBook', 'character_book'),
        (2, 'loreItems', 'character_book'),
        (1, 'characterVersion', 'character_version')
    ),
    -- The last of several fields with the same name counts, as in every client.
    own as (
      select distinct on (f.key collate "C") f.key, f.value, f.position
      from json_each(v_fields) with ordinality as f (key, value, position)
      order by f.key collate "C", f.position desc
    ),
    ranked as (
      select
        o.key as name,
        o.value,
        o.position,
        coalesce(a.key, o.key) as key,
        row_number() over (
          partition by coalesce(a.key, o.key) collate "C"
          order by json_typeof(o.value) = 'null', a.rank nulls first
        ) as place
      from own as o
      left join alias as a on a.name = o.key and (
        a.name <> 'persona' or json_typeof(o.value) = 'string'
      )
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
