-- app.accept_task
--
-- Writes      task_owners; as app.submit_run
-- Errors      PT404 owner_not_found, PT422 mandate_invalid, max_ticks_invalid,
--             correlation_id_invalid, model_unknown, PT409 task_exists,
--             PT429 tasks_open_reached, tasks_per_day_reached
-- Locks       the user, then the user's row of task_owners, then lanes
create or replace function app.accept_task(inout task public.tasks, out is_known boolean)
  returns record
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_known public.tasks;
  v_tasks_of_day integer;
begin
  is_known := false;
  task.id := coalesce(task.id, gen_random_uuid());
  task.correlation_id := coalesce(task.correlation_id, gen_random_uuid()::text);
  task.max_ticks := coalesce(task.max_ticks, 50);
  if char_length(task.correlation_id) not between 1 and 200 then
    perform app.fail(
      422,
      'correlation_id_invalid',
      'correlation_id must have 1 to 200 characters.',
      'Send an id of 1 to 200 characters, or leave it out.'
    );
  end if;
  perform app.require_task_form(task.mandate, task.max_ticks);

  v_tasks_of_day := app.lock_task_owner(task.user_id, 1);
  select t.* into v_known
  from public.tasks as t
  where t.user_id = task.user_id and t.correlation_id = task.correlation_id;
  if found then
    perform app.lock_task_owner(task.user_id, -1);
    task := v_known;
    is_known := true;
    return;
  end if;
  -- Without this check, the insert would wait for a worker that changes the task with this id, and
  -- this worker could wait for the user's row of task_owners.
  if exists (select from public.tasks as t where t.id = task.id) then
    perform app.fail(
      409, 'task_exists', 'A task with this id exists.', 'Leave out id, or send a new id.'
    );
  end if;

  perform app.require_task_quotas(task.user_id, v_tasks_of_day);
  if app.has_task_slot(task.user_id) then
    task.status := 'accepted';
    task.run_id := app.submit_task_run(task, app.require_model('text', null));
  else
    task.status := 'pending';
  end if;
end
$$;

comment on function app.accept_task(public.tasks) is
$$Validates a new task and counts it against the user's quotas. Submits the run of the task if a
running slot is free.

Returns the task for the caller to insert. With is_known, returns the task that an earlier request
with the same correlation_id submitted.
404 owner_not_found. 409 task_exists. 422 mandate_invalid, max_ticks_invalid,
correlation_id_invalid, model_unknown. 429 tasks_open_reached, tasks_per_day_reached.$$;
