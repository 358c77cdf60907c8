-- app.cancel_task, public.cancel_task
--
-- Called by   clients: the user of the task, and service_role
-- Writes      tasks; as app.cancel_runs, app.close_task_states, app.admit_tasks; rate_limits
-- Errors      PT401 not_signed_in, PT404 task_not_found, PT409 task_ended, task_changed,
--             PT429 rate_limited
-- Idempotent  a cancelled task stays cancelled
-- Locks       as app.lock_task; then the rows that app.cancel_runs locks; then the caller's row of
--             rate_limits
create or replace function app.cancel_task(id uuid)
  returns public.tasks
  language plpgsql
  volatile
  security definer
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
as $$
declare
  v_task public.tasks;
begin
  perform app.require_caller();
  perform app.require_writing();
  v_task := app.lock_task(cancel_task.id);
  if v_task.status in ('completed', 'error') then
    perform app.fail(
      409,
      'task_ended',
      'The task has ended.',
      'There is nothing to cancel. To continue a task that ended with an error, call retry_task.'
    );
  end if;

  if v_task.status <> 'cancelled' then
    if v_task.run_id is not null then
      perform app.cancel_runs(array[v_task.run_id]);
    end if;
    -- The task has no run, or the end of its run could not be stored.
    update public.tasks as t
    set status = 'cancelled', result = t.result - 'question'
    where t.id = v_task.id and t.status <> 'cancelled';
    if found then
      perform app.close_task_states(array[v_task.id]);
      perform app.admit_tasks(array[v_task.user_id]);
    end if;
    select t.* into v_task
    from public.tasks as t
    where t.id = v_task.id;
  end if;
  perform app.take_task_rate();

  return v_task;
end
$$;

comment on function app.cancel_task(uuid) is 'Cancels a task; see public.cancel_task.';

create or replace function public.cancel_task(id uuid)
  returns public.tasks
  language sql
  volatile
  -- A client may filter the answer, which takes time while the task is locked.
  set statement_timeout = '2s'
  set search_path = ''
return app.cancel_task(id);

comment on function public.cancel_task(uuid) is
$$Cancels a task at once, and returns its row.

id: of the task. The task keeps its partial result; retry_task continues after its last finished
tick. A task that is cancelled already stays as it is.
404 task_not_found. 409 task_ended: the task is completed or ended with an error. 409 task_changed:
repeat the request. 429 rate_limited.$$;

grant execute on function app.cancel_task(uuid) to anon, authenticated, service_role;
grant execute on function public.cancel_task(uuid) to anon, authenticated, service_role;
