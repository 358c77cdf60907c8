-- app.export_task_days
create or replace function app.export_task_days(user_id uuid)
  returns setof json
  language sql
  stable
  set search_path = ''
as $$
  select json_build_object('day', o.day, 'tasks', o.tasks_of_day)
  from app.task_owners as o
  where o.user_id = export_task_days.user_id
$$;

comment on function app.export_task_days(uuid) is
  'Returns how many tasks a user submitted on the last day with tasks, for app.export_user_data.';
