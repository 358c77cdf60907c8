-- app.parse_card_parts
--
-- Errors      PT422 card_invalid
-- Why         one statement parses all entries of a book. A field that is absent or null gets its
--             fallback, or is left out. app.coerce_card_value reads a value of another type; the
--             card is refused if this function cannot read the value. Unknown fields stay
create or replace function app.parse_card_parts(parts json[], kind text, path text)
  returns json[]
  language plpgsql
  volatile
  set search_path = ''
  -- Otherwise Postgres plans the statement again for each card, which takes longer than to run it.
  set plan_cache_mode = force_generic_plan
as $$
declare
  -- Names of fields in other formats, each with its rank and the field of V2: world info, which
  -- SillyTavern exports and others copy into cards, and the lorebooks of RisuAI (insertorder),
  -- Agnai (keywords), NovelAI (text) and Backyard (value).
  v_names jsonb := case parse_card_parts.kind
    when 'book' then jsonb '{
      "scanDepth": [1, "scan_depth"],
      "tokenBudget": [1, "token_budget"],
      "recursiveScanning": [1, "recursive_scanning"]
    }'
    when 'entry' then jsonb '{
      "key": [1, "keys"],
      "keywords": [2, "keys"],
      "keysecondary": [1, "secondary_keys"],
      "secondkey": [2, "secondary_keys"],
      "secondaryKeys": [3, "secondary_keys"],
      "order": [1, "insertion_order"],
      "insertorder": [2, "insertion_order"],
      "weight": [3, "insertion_order"],
      "disable": [1, "enabled"],
      "caseSensitive": [1, "case_sensitive"],
      "entry": [1, "content"],
      "text": [2, "content"],
      "value": [3, "content"],
      "displayName": [1, "name"],
      "alwaysActive": [1, "constant"],
      "forceActivation": [2, "constant"]
    }'
    else jsonb '{}'
  end;
  -- Most books have only names of V2, and each name once. Their fields need no sort.
  v_is_plain boolean := coalesce(
    (
      select bool_and(k.total = k.different and not k.has_names)
      from unnest(parse_card_parts.parts) as p (value)
      cross join lateral (
        select
          count(*) as total,
          count(distinct f.key collate "C") as different,
          coalesce(bool_or(v_names ? f.key), false) as has_names
        from json_object_keys(p.value) as f (key)
      ) as k
    ),
    true
  );
  v_fault text;
  v_parts json[];
begin
  with rule as materialized (
    select r.key, r.type, r.fallback
    from app.list_card_fields(parse_card_parts.kind) as r
  ),
  part as materialized (
    select p.value, p.number
    from unnest(parse_card_parts.parts) with ordinality as p (value, number)
  ),
  -- The last of several fields with the same name counts, as in every client. Otherwise thousands
  -- of them would be compared with each other.
  own as (
    select distinct on (p.number, f.key collate "C")
      p.number,
      f.position,
      f.key as name,
      f.value,
      case
        -- Backyard sorts its entries by texts, such as "a0".
        when f.key = 'order' and p.value -> 'value' is not null and p.value -> 'content' is null
          then null
        else v_names -> f.key
      end as alias
    from part as p
    cross join lateral json_each(p.value) with ordinality as f (key, value, position)
    where not v_is_plain
    order by p.number, f.key collate "C", f.position desc
  ),
  -- A window instead of a join, for which the planner may choose a nested loop.
  named as (
    select
      o.number,
      o.position,
      o.value,
      o.name,
      case
        when row_number() over (
          partition by o.number, coalesce(o.alias ->> 1, o.name) collate "C"
          order by (o.alias -> 0)::integer nulls first
        ) = 1 then coalesce(o.alias ->> 1, o.name)
        else o.name
      end as key
    from own as o
    union all
    select p.number, f.position, f.value, f.key, f.key
    from part as p
    cross join lateral json_each(p.value) with ordinality as f (key, value, position)
    where v_is_plain
  ),
  checked as (
    select
      n.number,
      n.position,
      n.name,
      n.key,
      n.value,
      r.type,
      r.fallback,
      case
        when r.type is null or json_typeof(n.value) = 'null' then true
        when r.type = 'an array of strings' then json_typeof(n.value) = 'array' and not exists (
          select
          from json_array_elements(
            case json_typeof(n.value) when 'array' then n.value end
          ) as e
          where json_typeof(e.value) <> 'string'
        )
        when r.type = 'an array of objects' then json_typeof(n.value) = 'array'
        when r.type = 'an id' then json_typeof(n.value) = 'number'
        when r.type = 'a position' then n.value::text in ('"before_char"', '"after_char"')
        else r.type in ('a ' || json_typeof(n.value), 'an ' || json_typeof(n.value))
      end as fits
    from named as n
    left join rule as r on r.key = n.key
  ),
  field as materialized (
    select
      c.*,
      case when not c.fits then app.coerce_card_value(c.value, c.type, c.key) end as coerced
    from checked as c
  ),
  fault as (
    select f.number, f.position, f.name, f.type
    from field as f
    where not f.fits and f.coerced is null
    union all
    select p.number, 0, 'name', 'a string'
    from part as p
    where parse_card_parts.kind = 'data'
      and not exists (
        select
        from field as f
        where f.number = p.number and f.key = 'name' and json_typeof(f.value) <> 'null'
      )
  ),
  moved as (
    select f.number, json_object_agg(f.key, f.value) as value
    from field as f
    where f.type in ('an id', 'a position')
      and not f.fits
      and json_typeof(f.coerced) = 'null'
      and f.value #>> '{}' <> ''
    group by f.number
  ),
  kept as (
    select
      f.number,
      f.position,
      f.key,
      case
        when json_typeof(f.is_read_as) = 'null' then coalesce(f.fallback, f.is_read_as)
        when f.name = 'disable' and f.key = 'enabled'
          then to_json(not (f.is_read_as #>> '{}')::boolean)
        else f.is_read_as
      end as value
    from (
      select r.*, case when r.fits then r.value else r.coerced end as is_read_as
      from field as r
    ) as f
    where f.type is null or json_typeof(f.is_read_as) <> 'null' or f.fallback is not null
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
      json_object_agg(
        k.key,
        case
          -- Keeps the keys that the extensions have already.
          when k.key = 'extensions' and m.value is not null then app.merge_json(m.value, k.value)
          else k.value
        end
        order by k.position nulls last, k.key
      ) as value
    from kept as k
    left join moved as m on m.number = k.number
    group by k.number
  )
  select
    (
      select format(
        '%s%s.%s must be %s.',
        parse_card_parts.path,
        case parse_card_parts.kind when 'entry' then '.' || f.number - 1 end,
        f.name,
        f.type
      )
      from fault as f
      order by f.number, f.position
      limit 1
    ),
    array(select r.value from rebuilt as r order by r.number)
  into v_fault, v_parts;

  if v_fault is not null then
    perform app.fail(
      422,
      'card_invalid',
      v_fault,
      'Send the card as Character Card V1, V2 or V3. Text for a number or a list is accepted where '
        'it can be read.'
    );
  end if;

  return v_parts;
end
$$;

comment on function app.parse_card_parts(json[], text, text) is
$$Reads parts of a character card and returns them as Character Card V2 has them.

parts: objects of one kind. kind: data, book or entry; an entry may have the names of world info.
path: where the parts are in the card, for messages. An id or a position that V2 does not allow
moves to the extensions of its entry. 422 card_invalid: the message names the field.$$;
