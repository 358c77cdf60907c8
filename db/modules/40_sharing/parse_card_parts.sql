-- app.parse_card_parts
--
-- Errors      PT422 card_invalid
-- Why         the shape of Character Card V2 is a table here, and one statement parses all entries
--             of a book. A field that is absent or null gets its fallback, or is left out. A field
--             of the wrong type is refused. A field that the specification does not have stays.
create or replace function app.parse_card_parts(parts json[], kind text, path text)
  returns json[]
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_fault text;
  v_parts json[];
begin
  with rules (kind, key, type, fallback) as (
    values
      ('data', 'name', 'a string', null),
      ('data', 'description', 'a string', '""'),
      ('data', 'personality', 'a string', '""'),
      ('data', 'scenario', 'a string', '""'),
      ('data', 'first_mes', 'a string', '""'),
      ('data', 'mes_example', 'a string', '""'),
      ('data', 'creator_notes', 'a string', '""'),
      ('data', 'system_prompt', 'a string', '""'),
      ('data', 'post_history_instructions', 'a string', '""'),
      ('data', 'alternate_greetings', 'an array of strings', '[]'),
      ('data', 'character_book', 'an object', null),
      ('data', 'tags', 'an array of strings', '[]'),
      ('data', 'creator', 'a string', '""'),
      ('data', 'character_version', 'a string', '""'),
      ('data', 'extensions', 'an object', '{}'),
      ('book', 'name', 'a string', null),
      ('book', 'description', 'a string', null),
      ('book', 'scan_depth', 'a number', null),
      ('book', 'token_budget', 'a number', null),
      ('book', 'recursive_scanning', 'a boolean', null),
      ('book', 'extensions', 'an object', '{}'),
      ('book', 'entries', 'an array', '[]'),
      ('entry', 'keys', 'an array of strings', '[]'),
      ('entry', 'content', 'a string', '""'),
      ('entry', 'extensions', 'an object', '{}'),
      ('entry', 'enabled', 'a boolean', 'true'),
      ('entry', 'insertion_order', 'a number', '0'),
      ('entry', 'case_sensitive', 'a boolean', null),
      ('entry', 'name', 'a string', null),
      ('entry', 'priority', 'a number', null),
      ('entry', 'id', 'a number', null),
      ('entry', 'comment', 'a string', null),
      ('entry', 'selective', 'a boolean', null),
      ('entry', 'secondary_keys', 'an array of strings', null),
      ('entry', 'constant', 'a boolean', null),
      ('entry', 'position', 'before_char or after_char', null)
  ),
  rule as materialized (
    select r.key, r.type, r.fallback::json as fallback
    from rules as r
    where r.kind = parse_card_parts.kind
  ),
  part as materialized (
    select p.value, p.number
    from unnest(parse_card_parts.parts) with ordinality as p (value, number)
  ),
  field as materialized (
    select
      p.number,
      f.position,
      f.key,
      json_typeof(f.value) as is_a,
      r.type,
      r.fallback,
      case
        -- Some editors number the positions, or leave nulls in lists.
        when r.type = 'before_char or after_char' and f.value::text = '0' then '"before_char"'
        when r.type = 'before_char or after_char' and f.value::text = '1' then '"after_char"'
        when r.type = 'an array of strings' and json_typeof(f.value) = 'array'
          and exists (
            select from json_array_elements(f.value) as e where json_typeof(e.value) = 'null'
          )
        then coalesce(
          (
            select json_agg(e.value order by e.position)
            from json_array_elements(f.value) with ordinality as e (value, position)
            where json_typeof(e.value) <> 'null'
          ),
          '[]'
        )
        else f.value
      end as value
    from part as p
    cross join lateral json_each(p.value) with ordinality as f (key, value, position)
    left join rule as r on r.key = f.key
  ),
  fault as (
    select f.number, f.position, f.key, f.type
    from field as f
    where f.is_a <> 'null' and not case f.type
      when 'an array of strings' then f.is_a = 'array' and not exists (
        select
        from json_array_elements(case f.is_a when 'array' then f.value end) as e
        where json_typeof(e.value) <> 'string'
      )
      when 'before_char or after_char'
        then f.is_a = 'number' or f.value #>> '{}' in ('before_char', 'after_char', '')
      else f.type = any (array['a ' || f.is_a, 'an ' || f.is_a])
    end
    union all
    select p.number, 0, 'name', 'a string'
    from part as p
    where parse_card_parts.kind = 'data'
      and not exists (
        select from field as f where f.number = p.number and f.key = 'name' and f.is_a <> 'null'
      )
  ),
  kept as (
    select
      f.number,
      f.position,
      f.key,
      case f.is_a when 'null' then coalesce(f.fallback, f.value) else f.value end as value
    from field as f
    where case
      when f.type is null then true
      when f.is_a = 'null' then f.fallback is not null
      when f.type = 'before_char or after_char'
        then f.value #>> '{}' in ('before_char', 'after_char')
      else true
    end
    union all
    select p.number, null, r.key, r.fallback
    from part as p
    cross join rule as r
    where r.fallback is not null
      and not exists (select from field as f where f.number = p.number and f.key = r.key)
  ),
  rebuilt as (
    select
      k.number,
      json_object_agg(k.key, k.value order by k.position nulls last, k.key) as value
    from kept as k
    group by k.number
  )
  select
    (
      select format(
        '%s%s.%s must be %s.',
        parse_card_parts.path,
        case parse_card_parts.kind when 'entry' then '.' || f.number - 1 end,
        f.key,
        f.type
      )
      from fault as f
      order by f.number, f.position
      limit 1
    ),
    array(select r.value from rebuilt as r order by r.number)
  into v_fault, v_parts;

  if v_fault is not null then
    perform app.fail(422, 'card_invalid', v_fault, 'Send the card as Character Card V2.');
  end if;

  return v_parts;
end
$$;

comment on function app.parse_card_parts(json[], text, text) is
$$Checks parts of a Character Card V2 and returns them with their defaults.

parts: objects of one kind. kind: data, book or entry. path: where they are in the card, for
messages. 422 card_invalid: the message names the field.$$;
