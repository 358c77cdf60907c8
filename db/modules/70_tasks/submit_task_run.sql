-- app.submit_task_run
--
-- Writes      as app.submit_keyed_run
drop function if exists app.submit_task_run(uuid, text);
create or replace function app.submit_task_run(task public.tasks, model text)
  returns bigint
  language sql
  volatile
  set search_path = ''
return app.submit_keyed_run(
  jsonb_build_object(
    'key', 'task',
    'type', 'run_task',
    'input', jsonb_build_object(
      'model', model, 'mandate', (task).mandate, 'max_ticks', (task).max_ticks
    )
  ),
  (task).user_id,
  null,
  null
);

comment on function app.submit_task_run(public.tasks, text) is
$$Submits a run that works on a task. The caller stores its id in tasks.run_id.

The input of the run has mandate and max_ticks, because a client can change them only while the task
is pending.$$;
