-- app.build_task_path
create or replace function app.build_task_path(task_id uuid)
  returns text
  language sql
  immutable
  set search_path = ''
return '/tasks?id=eq.' || task_id;

comment on function app.build_task_path(uuid) is
  'Returns the Location of a task below the URL of the API, in the form that PostgREST uses.';
