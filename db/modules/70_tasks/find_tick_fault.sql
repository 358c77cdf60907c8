-- app.find_tick_fault
create or replace function app.find_tick_fault(
  status text,
  last_tick integer,
  max_ticks integer,
  open_question jsonb,
  tick integer,
  result jsonb,
  question jsonb,
  usage jsonb
)
  returns text
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return case
    when find_tick_fault.tick is null
      or find_tick_fault.tick not in (find_tick_fault.last_tick, find_tick_fault.last_tick + 1)
    then format(
      'The step finished tick %s after tick %s.', find_tick_fault.tick, find_tick_fault.last_tick
    )
    when find_tick_fault.tick = find_tick_fault.last_tick then case
      when find_tick_fault.question is not null
        and find_tick_fault.open_question ->> 'text'
          is distinct from find_tick_fault.question ->> 'text'
      then 'The step asks another question than in its last tick.'
    end
    when find_tick_fault.status not in ('started', 'in_progress') then format(
      'The step finished a tick of a task that is %s.', find_tick_fault.status
    )
    when find_tick_fault.tick > find_tick_fault.max_ticks then format(
      'The step finished tick %s of a task with %s ticks.',
      find_tick_fault.tick,
      find_tick_fault.max_ticks
    )
    when jsonb_typeof(find_tick_fault.result -> 'text') is distinct from 'string'
      then 'The state of the step has no result.text.'
    when find_tick_fault.usage is not null and jsonb_typeof(find_tick_fault.usage) <> 'object'
      then 'The usage of the step is not an object.'
    when find_tick_fault.question is not null
      and (
        jsonb_typeof(find_tick_fault.question -> 'text') is distinct from 'string'
        or not app.is_answer_schema(find_tick_fault.question -> 'schema')
      )
    then 'The question of the step is not { text, schema }.'
  end;
end
$$;

comment on function app.find_tick_fault(
  text, integer, integer, jsonb, integer, jsonb, jsonb, jsonb
) is
$$Returns what is wrong with the state that a step saved, or null. The state must belong to the next
tick of the task, or to its last tick while the task waits.

status, last_tick, max_ticks, open_question: of the task. tick, result, question, usage: of the
state.$$;
