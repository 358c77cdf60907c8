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
  v_data json;
  v_book json;
  v_entries json[];
begin
  perform app.require_package_size(v_bytes);
  perform app.lock_large_package(v_bytes);

  v_fault := case
    when json_typeof(parse_card.card) is distinct from 'object' then 'card must be an object.'
    when parse_card.card ->> 'spec' is distinct from 'chara_card_v2'
      then 'spec must be chara_card_v2.'
    -- The string "2.0", not the number.
    when (parse_card.card -> 'spec_version')::text is distinct from '"2.0"'
      then 'spec_version must be "2.0".'
    when json_typeof(parse_card.card -> 'data') is distinct from 'object'
      then 'data must be an object.'
    else app.find_crowded_part(parse_card.card)
  end;
  if v_fault is not null then
    perform app.fail(422, 'card_invalid', v_fault, 'Send the card as Character Card V2.');
  end if;

  v_data := (app.parse_card_parts(array[parse_card.card -> 'data'], 'data', 'data'))[1];
  v_book := v_data -> 'character_book';
  if v_book is not null then
    v_book := (app.parse_card_parts(array[v_book], 'book', 'data.character_book'))[1];
    v_entries := array(
      select e.value
      from json_array_elements(v_book -> 'entries') with ordinality as e (value, number)
      order by e.number
    );
    if exists (
      select from unnest(v_entries) as e (value) where json_typeof(e.value) <> 'object'
    ) then
      perform app.fail(
        422,
        'card_invalid',
        'data.character_book.entries must be an array of objects.',
        'Send the card as Character Card V2.'
      );
    end if;

    v_entries := app.parse_card_parts(v_entries, 'entry', 'data.character_book.entries');
    v_book := app.merge_json(v_book, json_build_object('entries', to_json(v_entries)));
    v_data := app.merge_json(v_data, json_build_object('character_book', v_book));
  end if;

  return app.merge_json(parse_card.card, json_build_object('data', v_data));
end
$$;

comment on function app.parse_card(json) is
$$Checks a Character Card V2 and returns it with the defaults of the specification.

A missing or null field gets its default; unknown fields and extensions are kept.
413 package_too_large, 422 card_invalid (the message names the field), 429 rate_limited: another
large package of the same caller is in progress.$$;
