-- app.describe_tool_fault
create or replace function app.describe_tool_fault(tool public.tools)
  returns text
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  v_fault text := app.describe_schema_fault(describe_tool_fault.tool.parameters);
  v_variable text;
  v_parameter jsonb;
begin
  if v_fault is not null then
    return v_fault;
  elsif describe_tool_fault.tool.kind = 'analysis'
    and (describe_tool_fault.tool.result_schema -> 'type') is distinct from '"object"'
  then
    return 'An analysis needs a result_schema of type "object".';
  end if;

  for v_variable in
    select m.found[1]
    from regexp_matches(describe_tool_fault.tool.prompt, '{{([^{}]*)}}', 'g') as m (found)
  loop
    v_parameter := describe_tool_fault.tool.parameters -> 'properties' -> v_variable;
    if v_parameter is null then
      return format('The prompt has {{%s}}, and no parameter has this name.', v_variable);
    elsif not v_parameter ? 'default'
      and not coalesce(describe_tool_fault.tool.parameters -> 'required' ? v_variable, false)
    then
      return format(
        'The prompt has {{%s}}: require this parameter, or give it a default.', v_variable
      );
    end if;
  end loop;
  if describe_tool_fault.tool.prompt ~ '{{{|}}}'
    or regexp_replace(describe_tool_fault.tool.prompt, '{{[^{}]*}}', '', 'g') ~ '{{|}}'
  then
    return 'The prompt has braces that enclose no parameter: write {{name}}.';
  end if;
  return null;
end
$$;

comment on function app.describe_tool_fault(public.tools) is
  'Returns a sentence that says why the catalogue cannot have this tool; null if it can.';
