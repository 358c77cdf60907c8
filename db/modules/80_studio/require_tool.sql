-- app.require_tool
--
-- Errors      PT404 tool_not_found, PT409 tool_disabled, PT422 tool_kind_wrong
create or replace function app.require_tool(tool_id uuid, kind text)
  returns public.tools
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_tool public.tools;
begin
  select t.* into v_tool
  from public.tools as t
  where t.id = any (array[require_tool.tool_id]);
  if not found then
    perform app.fail(
      404, 'tool_not_found', 'Tool not found.', 'Send the id of a row of table tools as tool_id.'
    );
  elsif not v_tool.enabled then
    perform app.fail(
      409,
      'tool_disabled',
      format('The tool "%s" is not offered at the moment.', v_tool.name),
      'Use a tool with enabled = true.'
    );
  elsif v_tool.kind <> require_tool.kind then
    perform app.fail(
      422,
      'tool_kind_wrong',
      format(
        'The tool "%s" is of kind %s.', v_tool.name, v_tool.kind
      ),
      format(
        'Call %s for this tool.',
        case v_tool.kind when 'image' then 'process_image' else 'analyze_face' end
      )
    );
  end if;

  return v_tool;
end
$$;

comment on function app.require_tool(uuid, text) is
  'Returns an enabled tool of this kind. 404 tool_not_found. 409 tool_disabled. 422 '
  'tool_kind_wrong names the function for the tool.';
