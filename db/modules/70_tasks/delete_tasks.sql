-- app.tg_users__delete_tasks
--
-- Writes      tasks, task_owners
-- Why         the trigger fires after the trigger that deletes runs, because a worker also locks
--             the run before the task
create or replace function app.tg_users__delete_tasks()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_user_ids uuid[] := array(select u.id from old_users as u);
begin
  delete from public.tasks as t
  where t.user_id = any (v_user_ids);
  delete from app.task_owners as o
  where o.user_id = any (v_user_ids);

  return null;
end
$$;

comment on function app.tg_users__delete_tasks() is 'Deletes the tasks of deleted users.';
