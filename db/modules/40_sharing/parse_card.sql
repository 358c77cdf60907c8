-- app.parse_card
--
-- Errors      PT413 package_too_large, PT422 card_invalid, PT429 rate_limited
-- Locks       the caller (advisory), for a large card
create or replace function app.parse_card(card json)
  returns json
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_bytes integer := octet_length(parse_card.card::text);
  v_fault text;
  v_path text;
  v_card json := parse_card.card;
  v_is_flat boolean;
  v_top json;
  v_data json;
  v_book json;
  v_entries json[];
begin
  perform app.require_package_size(v_bytes);
  perform app.lock_large_package(v_bytes);

  v_fault := case
    when json_typeof(parse_card.card) is distinct from 'object' then 'card must be an object.'
    else app.find_crowded_part(parse_card.card)
  end;
  if v_fault is null then
    v_data := v_card -> 'data';
    -- Some sites wrap the card: the card itself is the value of data.
    if json_typeof(v_data -> 'data') = 'object' and v_data -> 'name' is null then
      v_card := app.merge_json(v_card, v_data);
      v_data := v_card -> 'data';
      v_fault := app.find_crowded_part(v_card);
    end if;
  end if;
  if v_fault is null then
    -- V1 has its fields at the top. If data also exists and has a name, only data counts.
    v_is_flat := json_typeof(v_data) is distinct from 'object';
    if not v_is_flat then
      v_data := app.rename_card_fields(v_data);
    end if;
    if v_is_flat or v_data -> 'name' is null then
      v_top := app.flatten_card(v_card);
      if v_is_flat then
        v_data := v_top;
      elsif v_top -> 'name' is not null then
        v_data := app.merge_json(v_top, v_data);
      end if;
      v_fault := case
        when v_is_flat and v_data -> 'name' is null then 'data must be an object.'
        else app.find_crowded_part(json_build_object('data', v_data))
      end;
    end if;
  end if;
  if v_fault is not null then
    perform app.fail(
      422, 'card_invalid', v_fault, 'Send the card as Character Card V1, V2 or V3.'
    );
  end if;

  v_path := case when v_is_flat then 'card' else 'data' end;
  v_data := (app.parse_card_parts(array[v_data], 'data', v_path))[1];
  v_book := v_data -> 'character_book';
  if v_book is not null then
    v_path := v_path || '.character_book';
    v_book := app.flatten_book(v_book);
    -- Most books have not changed since the whole card was checked.
    if v_is_flat or v_book::text is distinct from v_card #>> '{data,character_book}' then
      v_fault := app.find_crowded_part(
        json_build_object('data', json_build_object('character_book', v_book))
      );
      if v_fault is not null then
        perform app.fail(
          422, 'card_invalid', v_fault, 'Send the card as Character Card V1, V2 or V3.'
        );
      end if;
    end if;
    v_book := (app.parse_card_parts(array[v_book], 'book', v_path))[1];
    v_entries := array(
      select e.value
      from json_array_elements(v_book -> 'entries') with ordinality as e (value, number)
      where json_typeof(e.value) <> 'null'
      order by e.number
    );
    if exists (
      select from unnest(v_entries) as e (value) where json_typeof(e.value) <> 'object'
    ) then
      perform app.fail(
        422,
        'card_invalid',
        format('%s.entries must be an array of objects.', v_path),
        'Send the card as Character Card V1, V2 or V3.'
      );
    end if;

    v_entries := app.parse_card_parts(v_entries, 'entry', v_path || '.entries');
    v_book := app.merge_json(v_book, json_build_object('entries', to_json(v_entries)));
    v_data := app.merge_json(v_data, json_build_object('character_book', v_book));
  end if;

  return app.merge_json(
    case when v_is_flat then '{}' else v_card end,
    json_build_object('spec', 'chara_card_v2', 'spec_version', '2.0', 'data', v_data)
  );
end
$$;

comment on function app.parse_card(json) is
$$Reads a character card of V1, V2 or V3 and returns it as Character Card V2.

A missing or null field gets the default of the specification; unknown fields and extensions are
kept. 413 package_too_large, 422 card_invalid (the message names the field), 429 rate_limited:
another large package of the same caller is in progress.$$;
