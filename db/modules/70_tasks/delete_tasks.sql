-- app.tg_users__delete_tasks
--
-- Writes      tasks, task_owners
-- Why         a trigger of a higher number than the one that deletes runs: a worker, too, locks the
--             run before the task
create or replace function app.tg_users__delete_tasks()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
  -- Both: an index lookup also where a plan was made on an empty table (ADR 8).
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
