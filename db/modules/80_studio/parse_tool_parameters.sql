-- app.parse_tool_parameters
--
-- Errors      PT422 parameters_invalid
-- Why         the canonical form is a part of the cache key, so the order of keys, the spelling of
--             numbers and a default that is left out make no difference. A request of 6 MiB may
--             have hundreds of thousands of names, and reading them takes seconds. So the
--             parameters have 64 KiB at most
create or replace function app.parse_tool_parameters(schema jsonb, parameters jsonb)
  returns jsonb
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  v_given jsonb := coalesce(parse_tool_parameters.parameters, '{}');
  v_unknown jsonb := v_given;
  v_parsed jsonb := '{}'::jsonb;
  v_name text;
  v_property jsonb;
  v_value jsonb;
begin
  if jsonb_typeof(v_given) <> 'object' then
    perform app.fail(
      422,
      'parameters_invalid',
      'tool_parameters is not a JSON object.',
      'Send an object with the parameters of the tool, such as {"color": "red"}.'
    );
  elsif octet_length(v_given::text) > 65536 then
    perform app.fail(
      422,
      'parameters_invalid',
      'tool_parameters has more than 64 KiB.',
      'Send only the parameters of the tool.'
    );
  end if;

  for v_name, v_property in
    select p.key, p.value
    from jsonb_each(parse_tool_parameters.schema -> 'properties') as p
  loop
    v_value := v_given -> v_name;
    v_unknown := v_unknown - v_name;
    if v_value is null then
      v_value := v_property -> 'default';
      if v_value is null then
        if coalesce(parse_tool_parameters.schema -> 'required' ? v_name, false) then
          perform app.fail(
            422,
            'parameters_invalid',
            format('Parameter "%s" is missing.', v_name),
            format('Send "%s" as %s.', v_name, app.describe_property(v_property))
          );
        end if;
        continue;
      end if;
    elsif not app.is_property_value(v_property, v_value) then
      perform app.fail(
        422,
        'parameters_invalid',
        format('Parameter "%s" has a value that the tool does not allow.', v_name),
        format('Send "%s" as %s.', v_name, app.describe_property(v_property))
      );
    end if;
    if jsonb_typeof(v_value) = 'number' then
      v_value := to_jsonb(trim_scale(v_value::numeric));
    end if;
    v_parsed := v_parsed || jsonb_build_object(v_name, v_value);
  end loop;
  if v_unknown <> '{}' then
    perform app.fail(
      422,
      'parameters_invalid',
      format(
        'The tool has no parameter "%s".',
        (select left(min(k.name), 80) from jsonb_object_keys(v_unknown) as k (name))
      ),
      coalesce(
        'Send only: ' || (
          select string_agg(k.name, ', ' order by k.name)
          from jsonb_object_keys(parse_tool_parameters.schema -> 'properties') as k (name)
        ) || '.',
        'Send {}, because the tool has no parameters.'
      )
    );
  end if;

  return v_parsed;
end
$$;

comment on function app.parse_tool_parameters(jsonb, jsonb) is
$$Returns the parameters of a request in their canonical form: defaults are filled in, and numbers
have no trailing zeros.

schema: the parameters of a tool. 422 parameters_invalid names the parameter and what is allowed.$$;
