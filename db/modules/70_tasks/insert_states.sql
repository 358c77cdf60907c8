-- app.tg_tasks__insert_states
--
-- Writes      task_states
-- Errors      PT409 task_exists
-- Why         an insert that ignores duplicates may skip a row after _050_submit has submitted the
--             run of the task. So this trigger refuses a statement that skipped such a row
create or replace function app.tg_tasks__insert_states()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_submitted constant text := coalesce(current_setting('plinth.submitted_tasks', true), '');
  v_inserted integer;
begin
  insert into app.task_states (task_id, request_hash)
  select n.id, app.hash_task_request(n.mandate, n.max_ticks)
  from new_tasks as n;
  get diagnostics v_inserted = row_count;

  if v_submitted <> '' then
    if v_submitted::integer <> v_inserted then
      perform app.fail(
        409, 'task_exists', 'A task with this id exists.', 'Leave out id, or send a new id.'
      );
    end if;
    perform set_config('plinth.submitted_tasks', '', true);
  end if;

  return null;
end
$$;

comment on function app.tg_tasks__insert_states() is
  'Inserts the private part of new tasks, with the hash of their requests.';
