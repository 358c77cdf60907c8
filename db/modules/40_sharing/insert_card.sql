-- app.insert_card
--
-- Writes      characters or scenarios, sealed from the start
create or replace function app.insert_card(card json, kind text, icon_asset_id uuid)
  returns uuid
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_card_id uuid := gen_random_uuid();
  v_now timestamptz := app.now();
  v_data json := insert_card.card -> 'data';
begin
  if insert_card.kind = 'character' then
    insert into public.characters (
      id, title, name, description, example_dialogue, lorebook, tags, creator, version,
      card_summary, conceptual_origin, icon_asset_id, sealed_at, created_at, updated_at
    )
    values (
      v_card_id, v_data #>> '{extensions,title}', v_data ->> 'name', v_data ->> 'description',
      v_data ->> 'mes_example', v_data -> 'character_book', v_data -> 'tags', v_data ->> 'creator',
      v_data ->> 'character_version', v_data ->> 'creator_notes',
      v_data #>> '{extensions,conceptualOrigin}', insert_card.icon_asset_id, v_now, v_now, v_now
    );
  else
    insert into public.scenarios (
      id, title, name, description, first_messages, lorebook, tags, creator, version,
      card_summary, conceptual_origin, icon_asset_id, sealed_at, created_at, updated_at
    )
    values (
      v_card_id, v_data #>> '{extensions,title}', v_data ->> 'name', v_data ->> 'description',
      (
        select json_agg(greeting.value order by greeting.number)
        from (
          select 0 as number, v_data -> 'first_mes' as value
          union all
          select e.number, e.value
          from json_array_elements(v_data -> 'alternate_greetings')
            with ordinality as e (value, number)
        ) as greeting
      ),
      v_data -> 'character_book', v_data -> 'tags', v_data ->> 'creator',
      v_data ->> 'character_version', v_data ->> 'creator_notes',
      v_data #>> '{extensions,conceptualOrigin}', insert_card.icon_asset_id, v_now, v_now, v_now
    );
  end if;

  return v_card_id;
end
$$;

comment on function app.insert_card(json, text, uuid) is
$$Inserts a card and returns its new id.

card: from app.parse_card. kind: character or scenario.$$;
