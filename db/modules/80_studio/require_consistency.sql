-- app.tg_tools__require_consistency
--
-- Errors      PT422 tool_invalid
-- Why         as a trigger, because a dump restores rows before the functions that a check calls
create or replace function app.tg_tools__require_consistency()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_fault text := app.describe_tool_fault(new);
begin
  if v_fault is not null then
    perform app.fail(
      422,
      'tool_invalid',
      format('Tool "%s": %s', new.key, v_fault),
      'Correct prompt, parameters or result_schema, as docs/guide/studio.md describes them.'
    );
  end if;

  return new;
end
$$;

comment on function app.tg_tools__require_consistency() is
  'Refuses a tool whose prompt and parameters do not fit together: 422 tool_invalid.';
