-- app.render_prompt
--
-- Why         splits the prompt once and never reads a value again, so that a value that contains
--             {{name}} stays text. app.describe_tool_fault refuses every other use of two braces
create or replace function app.render_prompt(prompt text, parameters jsonb)
  returns text
  language sql
  immutable
  set search_path = ''
return (
  select string_agg(
    case
      when p.n = 1 then p.part
      else coalesce(parameters ->> split_part(p.part, '}}', 1), '')
        || substr(p.part, strpos(p.part, '}}') + 2)
    end,
    ''
    order by p.n
  )
  from unnest(string_to_array(prompt, '{{')) with ordinality as p (part, n)
);

comment on function app.render_prompt(text, jsonb) is
$$Returns the prompt of a tool with the values of its parameters in the place of {{name}}.

parameters: from app.parse_tool_parameters.$$;
