-- app.submit_task, public.submit_task
--
-- Called by   clients
-- Writes      tasks, task_owners; as app.submit_run
-- Errors      PT401 not_signed_in, PT404 owner_not_found, PT409 correlation_id_taken; those of
--             app.accept_task
-- Idempotent  same correlation_id, same user, same request: returns the first task as it is now,
--             and changes nothing
-- Locks       the user, then the user's row of task_owners, then lanes
create or replace function app.submit_task(mandate text, max_ticks integer, correlation_id text)
  returns public.tasks
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_user_id uuid := app.require_user();
  v_task public.tasks;
  v_accepted record;
begin
  perform app.require_writing();
  v_task.user_id := v_user_id;
  v_task.mandate := submit_task.mandate;
  v_task.max_ticks := submit_task.max_ticks;
  v_task.correlation_id := submit_task.correlation_id;
  v_accepted := app.accept_task(v_task);
  v_task := v_accepted.task;
  if v_accepted.is_known then
    if (select s.request_hash from app.task_states as s where s.task_id = v_task.id)
      <> app.hash_task_request(submit_task.mandate, coalesce(submit_task.max_ticks, 50))
    then
      perform app.fail(
        409,
        'correlation_id_taken',
        'Another task was submitted with this correlation_id before.',
        'Send another correlation_id, or repeat the first request unchanged.'
      );
    end if;
    return v_task;
  end if;

  insert into public.tasks (id, correlation_id, user_id, mandate, status, max_ticks, run_id)
  values (
    v_task.id, v_task.correlation_id, v_task.user_id, v_task.mandate, v_task.status,
    v_task.max_ticks, v_task.run_id
  )
  returning * into v_task;

  return v_task;
end
$$;

comment on function app.submit_task(text, integer, text) is
  'Submits a task; see public.submit_task.';

create or replace function public.submit_task(
  mandate text,
  max_ticks integer default 50,
  correlation_id text default null
)
  returns public.tasks
  language sql
  volatile
  -- A client may filter the answer, which takes time while the task is locked.
  set statement_timeout = '2s'
  set search_path = ''
return app.submit_task(mandate, max_ticks, correlation_id);

comment on function public.submit_task(text, integer, text) is
$$Submits a task to the agent and returns its row.

mandate: what the agent shall do, 1 to 20,000 characters, not only white space. max_ticks: 1 to 500,
default 50.
correlation_id: 1 to 200 characters; the same id with the same request returns the first task as it
is now, and submits nothing. Inserts into tasks use the same ids.
The status is accepted if one of your running slots is free (plans.tasks_running), else pending.
Watch the row, or read it again; cancel_task stops it, answer_task answers its question.
422 mandate_invalid, max_ticks_invalid, correlation_id_invalid, model_unknown.
404 owner_not_found: the user was deleted. 409 correlation_id_taken: the id belongs to another
request. 429 tasks_open_reached, tasks_per_day_reached. From origin 003.$$;

grant execute on function app.submit_task(text, integer, text) to anon, authenticated;
grant execute on function public.submit_task(text, integer, text) to anon, authenticated;
