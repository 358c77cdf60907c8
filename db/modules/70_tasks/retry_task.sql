-- app.retry_task, public.retry_task
--
-- Called by   clients: the user of the task, and service_role
-- Writes      tasks, task_states, task_owners; runs: the old one is deleted; as app.admit_tasks;
--             rate_limits
-- Errors      PT401 not_signed_in, PT404 task_not_found, PT409 task_not_ended, task_completed,
--             task_changed, PT429 tasks_open_reached, tasks_per_day_reached, rate_limited
-- Locks       as app.lock_task; then lanes; then the caller's rows of rate_limits
create or replace function app.retry_task(id uuid)
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
  v_task := app.lock_task(retry_task.id);
  if v_task.status = 'completed' then
    perform app.fail(
      409, 'task_completed', 'The task is completed.', 'Submit a new task to do more work.'
    );
  end if;
  if v_task.status not in ('error', 'cancelled') then
    perform app.fail(
      409,
      'task_not_ended',
      'The task has not ended.',
      'Wait until the task has ended, or call cancel_task first.'
    );
  end if;
  perform app.require_task_quotas(v_task.user_id, app.lock_task_owner(v_task.user_id, 1));

  delete from app.runs as r
  where r.id = v_task.run_id;
  update public.tasks as t
  set status = 'pending', run_id = null, error = null
  where t.id = v_task.id;
  update app.task_states as s
  set ended_at = null
  where s.task_id = v_task.id;
  perform app.admit_tasks(array[v_task.user_id]);
  if auth.role() is distinct from 'service_role' then
    perform app.take_rate(
      'job_retries',
      app.caller_key(),
      (select s.job_retries_per_hour from app.settings as s),
      interval '1 hour'
    );
  end if;
  perform app.take_task_rate();
  select t.* into v_task
  from public.tasks as t
  where t.id = v_task.id;

  return v_task;
end
$$;

comment on function app.retry_task(uuid) is 'Retries a task; see public.retry_task.';

create or replace function public.retry_task(id uuid)
  returns public.tasks
  language sql
  volatile
  -- A client may filter the answer, which takes time while the task is locked.
  set statement_timeout = '2s'
  set search_path = ''
return app.retry_task(id);

comment on function public.retry_task(uuid) is
$$Retries a task that was cancelled or ended with an error, and returns its row.

id: of the task. The task becomes pending, and accepted as soon as a running slot is free. It
continues after its last finished tick, and asks an unanswered question again. A retry counts as a
new task of the day, and as a retry of a job.
404 task_not_found. 409 task_not_ended, task_completed. 409 task_changed: repeat the request.
429 tasks_open_reached, tasks_per_day_reached, rate_limited.$$;

grant execute on function app.retry_task(uuid) to anon, authenticated, service_role;
grant execute on function public.retry_task(uuid) to anon, authenticated, service_role;
