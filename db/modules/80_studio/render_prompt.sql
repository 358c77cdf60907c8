-- app.render_prompt
--
-- Why         splits the prompt once and never renders a value, so {{name}} in a value stays text.
--             app.describe_tool_fault refuses every other use of two braces. In plpgsql, because
--             Postgres plans a SQL function again at each call
create or replace function app.render_prompt(prompt text, parameters jsonb)
  returns text
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  v_parts text[] := string_to_array(render_prompt.prompt, '{{');
  v_rendered text := v_parts[1];
begin
  for v_n in 2 .. cardinality(v_parts) loop
    v_rendered := v_rendered
      || coalesce(render_prompt.parameters ->> split_part(v_parts[v_n], '}}', 1), '')
      || substr(v_parts[v_n], strpos(v_parts[v_n], '}}') + 2);
  end loop;

  return v_rendered;
end
$$;

comment on function app.render_prompt(text, jsonb) is
$$Returns the prompt of a tool with the values of its parameters in the place of {{name}}.

parameters: from app.parse_tool_parameters.$$;
