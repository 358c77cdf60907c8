-- app.find_task_state
--
-- Why         a run that completes saves no state. If its output is not the result of a task, the
--             task ends with an error. A retry then continues from the row of the task, without
--             notes
create or replace function app.find_task_state(task_id uuid)
  returns jsonb
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_task public.tasks;
  v_state jsonb;
begin
  select t.* into v_task
  from public.tasks as t
  where t.id = find_task_state.task_id;
  select s.state into v_state
  from app.task_states as s
  where s.task_id = find_task_state.task_id;
  if v_task.tick is null or v_state -> 'tick' = to_jsonb(v_task.tick) then
    return v_state;
  end if;

  return jsonb_build_object(
    'tick', v_task.tick,
    'result', coalesce(v_task.result, '{}') - 'question',
    'question', null,
    'usage', v_task.usage,
    'notes', '[]'::jsonb,
    'template_version', ''
  );
end
$$;

comment on function app.find_task_state(uuid) is
  'Returns the state that the next run of a task continues, or null.';
