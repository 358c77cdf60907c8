-- app.describe_property_fault
--
-- Why         every keyword that it accepts is checked by app.is_property_value, so that no
--             parameter passes that the schema forbids
create or replace function app.describe_property_fault(property jsonb)
  returns text
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  v_type text := describe_property_fault.property ->> 'type';
  v_enum jsonb := describe_property_fault.property -> 'enum';
  v_known text[];
  v_stranger text;
begin
  if jsonb_typeof(describe_property_fault.property) <> 'object' then
    return 'is not an object';
  elsif not coalesce(v_type in ('string', 'integer', 'number', 'boolean'), false) then
    return 'needs a type: string, integer, number or boolean';
  end if;

  v_known := array['type', 'description', 'default', 'enum'] || case v_type
    when 'string' then array['maxLength']
    when 'boolean' then array[]::text[]
    else array['minimum', 'maximum']
  end;
  select k.name into v_stranger
  from jsonb_object_keys(describe_property_fault.property) as k (name)
  where k.name <> all (v_known)
  order by k.name
  limit 1;
  if found then
    return format(
      'has the keyword "%s": type %s has only %s',
      v_stranger,
      v_type,
      array_to_string(v_known, ', ')
    );
  end if;

  if jsonb_typeof(v_enum) <> 'array' or v_enum = '[]' then
    return 'needs a list of values as enum';
  elsif exists (
    select
    from jsonb_array_elements(v_enum) as e (value)
    where not app.is_property_value(jsonb_build_object('type', v_type), e.value)
  ) then
    return format('has a value in its enum of another type than %s', v_type);
  end if;
  if exists (
    select
    from jsonb_each(describe_property_fault.property) as k (name, value)
    where k.name in ('minimum', 'maximum', 'maxLength') and jsonb_typeof(k.value) <> 'number'
  ) then
    return 'needs numbers as limits';
  elsif (describe_property_fault.property ->> 'minimum')::numeric
    > (describe_property_fault.property ->> 'maximum')::numeric
  then
    return 'has a minimum that is larger than its maximum';
  elsif (describe_property_fault.property ->> 'maxLength')::numeric not between 1 and 2000 then
    return 'has a maxLength that is not from 1 to 2000';
  elsif v_type = 'string' and v_enum is null
    and not describe_property_fault.property ? 'maxLength'
  then
    return 'needs an enum or a maxLength';
  elsif v_type in ('integer', 'number') and v_enum is null
    and not describe_property_fault.property ?& array['minimum', 'maximum']
  then
    return 'needs an enum, or a minimum and a maximum';
  end if;

  if jsonb_typeof(describe_property_fault.property -> 'description') <> 'string' then
    return 'needs a string as description';
  elsif describe_property_fault.property ? 'default'
    and not app.is_property_value(
      describe_property_fault.property, describe_property_fault.property -> 'default'
    )
  then
    return 'has a default that the schema forbids';
  end if;
  return null;
end
$$;

comment on function app.describe_property_fault(jsonb) is
$$Returns why a tool cannot have a parameter with this JSON Schema, as the end of a sentence; null
if it can.

A parameter is a string, integer, number or boolean. It has the keywords type, description, default,
enum, minimum, maximum and maxLength, as far as they belong to its type. A string needs an enum or a
maxLength, a number an enum or a minimum and a maximum.$$;
