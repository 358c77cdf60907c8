-- app.lock_task
--
-- Errors      PT401 not_signed_in, PT404 task_not_found, PT409 task_changed
-- Locks       the user, for key share; the run; the user's row of task_owners; the task
-- Why         a worker locks the run before the task, so this function does the same. If the task
--             got another run while this function waited, that run is locked without waiting,
--             because the task is locked already
create or replace function app.lock_task(task_id uuid)
  returns public.tasks
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_seen record;
  v_task public.tasks;
begin
  perform app.require_read_committed();
  if auth.role() is distinct from 'service_role' then
    perform app.require_user();
  end if;

  select t.user_id, t.run_id into v_seen
  from public.tasks as t
  where t.id = lock_task.task_id
    and (t.user_id = auth.uid() or auth.role() = 'service_role');
  if found then
    perform
    from public.users as u
    where u.id = v_seen.user_id
    for key share;
  end if;
  if found then
    perform
    from app.runs as r
    where r.id = v_seen.run_id
    for update;
    perform app.lock_task_owner(v_seen.user_id);
  end if;
  -- user_id is null if the caller may not see the task.
  select t.* into v_task
  from public.tasks as t
  where t.id = lock_task.task_id and t.user_id = v_seen.user_id
  for no key update;
  if not found then
    perform app.fail(
      404, 'task_not_found', 'Task not found.', 'Use an id that table tasks shows to you.'
    );
  end if;
  if v_task.run_id is distinct from v_seen.run_id then
    begin
      perform
      from app.runs as r
      where r.id = v_task.run_id
      for update nowait;
    exception
      when lock_not_available then
        perform app.refuse_changed_task();
    end;
  end if;

  return v_task;
end
$$;

comment on function app.lock_task(uuid) is
$$Locks a task with its run until the transaction ends, if the caller may see the task.

401 not_signed_in. 404 task_not_found. 409 task_changed: the task got another run while the request
waited.$$;
