-- app.describe_schema_fault
create or replace function app.describe_schema_fault(schema jsonb)
  returns text
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  v_properties jsonb := coalesce(describe_schema_fault.schema -> 'properties', '{}');
  v_required jsonb := coalesce(describe_schema_fault.schema -> 'required', '[]');
  v_known constant text[] := array[
    'type', 'description', 'properties', 'required', 'additionalProperties'
  ];
  v_name text;
  v_fault text;
begin
  if jsonb_typeof(describe_schema_fault.schema) is distinct from 'object' then
    return 'The schema is not an object.';
  end if;
  select k.name into v_name
  from jsonb_object_keys(describe_schema_fault.schema) as k (name)
  where k.name <> all (v_known)
  order by k.name
  limit 1;
  if found then
    return format(
      'The schema has the keyword "%s": it has only %s.', v_name, array_to_string(v_known, ', ')
    );
  elsif describe_schema_fault.schema -> 'type' is distinct from '"object"' then
    return 'The type of the schema is not "object".';
  elsif describe_schema_fault.schema -> 'additionalProperties' is distinct from 'false' then
    return 'The schema lacks "additionalProperties": false.';
  elsif jsonb_typeof(describe_schema_fault.schema -> 'description') <> 'string' then
    return 'The schema needs a string as description.';
  elsif jsonb_typeof(v_properties) <> 'object' then
    return 'The properties of the schema are not an object.';
  elsif jsonb_typeof(v_required) <> 'array' then
    return 'The keyword "required" of the schema is not a list.';
  end if;

  select p.name, app.describe_property_fault(p.value) into v_name, v_fault
  from jsonb_each(v_properties) as p (name, value)
  where p.name !~ '^[a-z][a-z0-9_]{0,39}$' or app.describe_property_fault(p.value) is not null
  order by p.name
  limit 1;
  if found then
    return format(
      'Parameter "%s" %s.', v_name, coalesce(v_fault, 'has a name that is not in snake_case')
    );
  end if;
  select r.value #>> '{}' into v_name
  from jsonb_array_elements(v_required) as r (value)
  where jsonb_typeof(r.value) <> 'string' or not v_properties ? (r.value #>> '{}')
  limit 1;
  if found then
    return format('The schema requires "%s", and no parameter has this name.', v_name);
  end if;
  return null;
end
$$;

comment on function app.describe_schema_fault(jsonb) is
$$Returns a sentence that says why a tool cannot have this JSON Schema of parameters; null if it
can.

The schema is { type: "object", description, properties, required, additionalProperties: false }.
app.describe_property_fault describes a property.$$;
