-- app.is_answer_schema
create or replace function app.is_answer_schema(schema jsonb)
  returns boolean
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return case
    when is_answer_schema.schema is null or is_answer_schema.schema = 'null' then true
    when jsonb_typeof(is_answer_schema.schema) <> 'object' then false
    when is_answer_schema.schema ? 'enum' then
      jsonb_typeof(is_answer_schema.schema -> 'enum') = 'array'
      and is_answer_schema.schema -> 'enum' <> '[]'
      and not jsonb_path_exists(is_answer_schema.schema, '$.enum[*] ? (@.type() != "string")')
    else coalesce(is_answer_schema.schema ->> 'type' in ('string', 'number', 'boolean'), false)
  end;
end
$$;

comment on function app.is_answer_schema(jsonb) is
$$Returns whether a question may have this schema: null, { type: "string", "number" or "boolean" },
or { enum: [texts] }.$$;
