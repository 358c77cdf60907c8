-- app.describe_persona
create or replace function app.describe_persona(attributes json)
  returns text
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return (
    select string_agg(
      case a.key when 'text' then v.words else format('%s: %s', a.key, v.words) end,
      E'\n'
      order by a.position
    )
    from json_each(describe_persona.attributes) with ordinality as a (key, value, position)
    cross join lateral (
      select case
        when json_typeof(a.value) = 'array' then (
          select string_agg(
            e.value #>> '{}', case a.key when 'text' then E'\n' else ', ' end order by e.number
          )
          from json_array_elements(a.value) with ordinality as e (value, number)
        )
        else a.value #>> '{}'
      end as words
    ) as v
    where v.words <> ''
  );
end
$$;

comment on function app.describe_persona(json) is
$$Returns the attributes of a persona of Agnai as text.

A line for each attribute with its values; attribute text is the text itself. Null if all are
empty.$$;
