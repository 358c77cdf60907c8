-- app.parse_card_parts
--
-- Errors      PT422 card_invalid
-- Why         reads leniently and writes strictly: one statement parses all entries of a book. A
--             field that is absent or null gets its fallback, or is left out. A value of another
--             type is read by app.coerce_card_value, and refused if that cannot read it. A field
--             that the specification does not have stays
create or replace function app.parse_card_parts(parts json[], kind text, path text)
  returns json[]
  language plpgsql
  volatile
  set search_path = ''
  -- Otherwise Postgres plans the statement again for each card, which takes longer than to run it.
  set plan_cache_mode = force_generic_plan
as $$
declare
  v_fault text;
  v_parts json[];
begin
  with rule as materialized (
    select r.key, r.type, r.fallback
    from app.list_card_fields(parse_card_parts.kind) as r
  ),
  -- The names of world info, which SillyTavern exports and others copy into cards; of the lorebooks
  -- of RisuAI (insertorder), Agnai (keywords), NovelAI (text) and Backyard (value).
  alias (kind, rank, name, key) as (
    values
      ('book', 1, 'scanDepth', 'scan_depth'),
      ('book', 1, 'tokenBudget', 'token_budget'),
      ('book', 1, 'recursiveScanning', 'recursive_scanning'),
      ('entry', 1, 'key', 'keys'),
      ('entry', 2, 'keywords', 'keys'),
      ('entry', 1, 'keysecondary', 'secondary_keys'),
      ('entry', 2, 'secondkey', 'secondary_keys'),
      ('entry', 3, 'secondaryKeys', 'secondary_keys'),
      ('entry', 1, 'order', 'insertion_order'),
      ('entry', 2, 'insertorder', 'insertion_order'),
      ('entry', 3, 'weight', 'insertion_order'),
      ('entry', 1, 'disable', 'enabled'),
      ('entry', 1, 'caseSensitive', 'case_sensitive'),
      ('entry', 1, 'entry', 'content'),
      ('entry', 2, 'text', 'content'),
      ('entry', 3, 'value', 'content'),
      ('entry', 1, 'displayName', 'name'),
      ('entry', 1, 'alwaysActive', 'constant'),
      ('entry', 2, 'forceActivation', 'constant')
  ),
  part as materialized (
    select p.value, p.number
    from unnest(parse_card_parts.parts) with ordinality as p (value, number)
  ),
  -- The last of several fields with the same name counts, as in every client. Otherwise thousands
  -- of them would be compared with each other.
  own as materialized (
    select distinct on (p.number, f.key collate "C")
      p.number,
      f.position,
      f.key,
      f.value,
      -- Backyard sorts its entries by texts, such as "a0".
      case f.key
        when 'order' then p.value -> 'value' is not null and p.value -> 'content' is null
      end as is_backyard_order
    from part as p
    cross join lateral json_each(p.value) with ordinality as f (key, value, position)
    order by p.number, f.key collate "C", f.position desc
  ),
  -- A window instead of a join, for which the planner may choose a nested loop.
  named as (
    select
      o.number,
      o.position,
      o.value,
      o.key as name,
      case
        when row_number() over (
          partition by o.number, coalesce(a.key, o.key) collate "C" order by a.rank nulls first
        ) = 1 then coalesce(a.key, o.key)
        else o.key
      end as key
    from own as o
    left join alias as a
      on a.name = o.key
      and a.kind = parse_card_parts.kind
      and o.is_backyard_order is not true
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
      case
        when not c.fits then app.coerce_card_value(c.value, c.type, c.key)
        else c.value
      end as is_read_as
    from checked as c
  ),
  fault as (
    select f.number, f.position, f.name, f.type
    from field as f
    where f.is_read_as is null
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
      and json_typeof(f.is_read_as) = 'null'
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
    from field as f
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
