-- app.coerce_card_value
--
-- Why         editors and sites export lists as text, numbers and booleans as text, empty objects
--             as lists (PHP) and lists as maps. Call it only if V2 has another type for the value
create or replace function app.coerce_card_value(value json, type text, key text)
  returns json
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  v_is text := json_typeof(coerce_card_value.value);
  v_text text := btrim(coerce_card_value.value #>> '{}', E' \t\r\n');
  v_max integer := app.get_share_limit('card_fields');
begin
  if coerce_card_value.type in ('an id', 'a position') then
    return case
      when coerce_card_value.type = 'a position' and v_text ~ '^[01](\.0+)?$'
        then to_json(case left(v_text, 1) when '0' then 'before_char' else 'after_char' end)
      when coerce_card_value.type = 'a position'
        and lower(v_text) ~ '^(before|after)[_ -]?char(acter)?$'
        then to_json(case when lower(v_text) ~ '^b' then 'before_char' else 'after_char' end)
      when coerce_card_value.type = 'an id' and v_text ~ '^(0|-?[1-9][0-9]{0,14})$'
        then to_json(v_text::bigint)
      else 'null'
    end;
  end if;

  -- PHP writes an empty object as a list. Other programs write false for an absent value.
  if coerce_card_value.value::text ~ '^\[\s*\]$'
    or (
      coerce_card_value.value::text = 'false'
      and coerce_card_value.type not in ('a string', 'a number', 'a boolean')
    )
  then
    return case coerce_card_value.type
      when 'a string' then '""'::json
      when 'an array of strings' then '[]'::json
      when 'an array of objects' then '[]'::json
      when 'an object' then case v_text when 'false' then 'null'::json else '{}'::json end
      else 'null'::json
    end;
  end if;

  -- A list that comes from a text or a map has the same limit as a list that a client sends.
  if (v_is = 'array' and json_array_length(coerce_card_value.value) > v_max)
    or (
      v_is = 'object'
      and (select count(*) from json_object_keys(coerce_card_value.value)) > v_max
    )
    or (
      v_is = 'string'
      and coerce_card_value.type = 'an array of strings'
      and coerce_card_value.key <> 'alternate_greetings'
      and octet_length(v_text) - octet_length(replace(v_text, ',', '')) >= v_max
    )
  then
    return null;
  end if;

  -- Numbers and booleans become text, nulls are dropped, and no other element is accepted.
  if (coerce_card_value.type = 'a string' and v_is = 'array')
    or (coerce_card_value.type = 'an array of strings' and v_is in ('array', 'object'))
  then
    return (
      select case
        when bool_or(json_typeof(e.value) in ('array', 'object')) then null
        when coerce_card_value.type = 'a string'
          then to_json(coalesce(string_agg(e.value #>> '{}', E'\n' order by e.number), ''))
        else coalesce(
          json_agg(e.value #>> '{}' order by e.number)
            filter (where json_typeof(e.value) <> 'null'),
          '[]'
        )
      end
      from app.list_json_values(coerce_card_value.value) as e
    );
  end if;

  return case coerce_card_value.type
    when 'a string'
      then case when v_is <> 'object' then to_json(coerce_card_value.value #>> '{}') end
    when 'an array of strings' then case
      when v_text = '' then '[]'::json
      when v_is <> 'string' or coerce_card_value.key = 'alternate_greetings'
        then json_build_array(coerce_card_value.value #>> '{}')
      -- Tags and keys: editors let people type them with commas between.
      else coalesce(
        (
          select json_agg(btrim(w.word) order by w.position)
          from unnest(string_to_array(v_text, ',')) with ordinality as w (word, position)
          where btrim(w.word) <> ''
        ),
        '[]'
      )
    end
    when 'a number' then case
      when v_text = '' then 'null'::json
      when v_is = 'boolean' then to_json((v_text::boolean)::integer)
      when v_is = 'string'
        and v_text ~ '^[+-]?([0-9]{1,30}\.?[0-9]{0,30}|\.[0-9]{1,30})([eE][+-]?[0-9]{1,2})?$'
        then to_json(v_text::numeric)
    end
    when 'a boolean' then case
      when v_text = '' then 'null'::json
      when lower(v_text) in ('1', 'true') then 'true'::json
      when lower(v_text) in ('0', 'false') then 'false'::json
    end
    when 'an object' then case
      when v_text = '' then 'null'::json
      when v_is = 'array' then coalesce(
        (
          select json_object_agg(e.number - 1, e.value order by e.number)
          from app.list_json_values(coerce_card_value.value) as e
        ),
        '{}'
      )
    end
    when 'an array of objects' then case
      when v_text = '' then '[]'::json
      when v_is = 'object' then coalesce(
        (
          select json_agg(e.value order by e.number)
          from app.list_json_values(coerce_card_value.value) as e
        ),
        '[]'
      )
    end
  end;
end
$$;

comment on function app.coerce_card_value(json, text, text) is
$$Reads a value of a card that has another type than Character Card V2 allows.

type: from app.list_card_fields. key: the name of the field. Returns the value in the right type;
the JSON null if the field counts as absent; null if the value cannot be read.$$;
