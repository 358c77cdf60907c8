-- app.describe_property
create or replace function app.describe_property(property jsonb)
  returns text
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  v_type text := describe_property.property ->> 'type';
begin
  return case
    when describe_property.property ? 'enum' then 'one of: ' || (
      select string_agg(e.value::text, ', ' order by e.n)
      from jsonb_array_elements(describe_property.property -> 'enum')
        with ordinality as e (value, n)
    )
    when v_type = 'string' then format(
      'a string of at most %s characters', describe_property.property ->> 'maxLength'
    )
    when v_type = 'boolean' then 'true or false'
    else format(
      '%s from %s to %s%s',
      case v_type when 'integer' then 'a whole number' else 'a number' end,
      describe_property.property ->> 'minimum',
      describe_property.property ->> 'maximum',
      case when v_type = 'number' then ', with at most 40 characters' end
    )
  end;
end
$$;

comment on function app.describe_property(jsonb) is
  'Returns in words which values the JSON Schema of a parameter allows, for a hint.';
