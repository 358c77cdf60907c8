-- app.is_property_value
create or replace function app.is_property_value(property jsonb, value jsonb)
  returns boolean
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  v_type text := jsonb_typeof(is_property_value.value);
  v_number numeric;
begin
  if is_property_value.value is null
    or v_type <> replace(is_property_value.property ->> 'type', 'integer', 'number')
  then
    return false;
  end if;
  if not coalesce(is_property_value.property -> 'enum' @> is_property_value.value, true) then
    return false;
  end if;

  if v_type = 'string' then
    return coalesce(
      char_length(is_property_value.value #>> '{}')
        <= (is_property_value.property ->> 'maxLength')::numeric,
      true
    );
  elsif v_type = 'number' then
    v_number := is_property_value.value::numeric;
    -- The number becomes a part of a prompt, which is paid by its length.
    return length(trim_scale(v_number)::text) <= 40
      and coalesce(v_number >= (is_property_value.property ->> 'minimum')::numeric, true)
      and coalesce(v_number <= (is_property_value.property ->> 'maximum')::numeric, true)
      and (is_property_value.property ->> 'type' = 'number' or v_number = trunc(v_number));
  end if;
  return true;
end
$$;

comment on function app.is_property_value(jsonb, jsonb) is
$$Returns whether a value satisfies the JSON Schema of a parameter of a tool.

property: a schema in which app.describe_property_fault finds no fault.$$;
