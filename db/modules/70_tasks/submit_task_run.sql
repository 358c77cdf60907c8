-- app.submit_task_run
--
-- Writes      as app.submit_keyed_run
create or replace function app.submit_task_run(user_id uuid, model text)
  returns bigint
  language sql
  volatile
  set search_path = ''
return app.submit_keyed_run(
  jsonb_build_object(
    'key', 'task', 'type', 'run_task', 'input', jsonb_build_object('model', model)
  ),
  user_id,
  null,
  null
);

comment on function app.submit_task_run(uuid, text) is
  'Submits a run that works on a task. The caller stores its id in tasks.run_id.';
