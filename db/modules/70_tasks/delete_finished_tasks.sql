-- app.delete_finished_tasks
--
-- Called by   schedule delete-finished-tasks
-- Writes      tasks, and by trigger their runs
-- Locks       runs, then tasks, both with skip locked: a task that retry_task has locked is kept
create or replace function app.delete_finished_tasks()
  returns integer
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_task_ids uuid[];
  v_run_ids bigint[];
  v_deleted integer;
begin
  v_task_ids := array(
    select s.task_id
    from app.task_states as s
    where s.ended_at < app.now() - (select g.task_retention from app.settings as g)
    order by s.ended_at
    -- Each task and its run are events of Realtime: ADR 24.
    limit 150
  );
  v_run_ids := array(
    select r.id
    from app.runs as r
    where r.id = any (array(select t.run_id from public.tasks as t where t.id = any (v_task_ids)))
    order by r.id + 0
    for update skip locked
  );
  v_task_ids := array(
    select t.id
    from public.tasks as t
    where t.id = any (v_task_ids)
      and t.status in ('completed', 'error', 'cancelled')
      and (
        t.run_id is null
        or t.run_id = any (v_run_ids)
        or not exists (select from app.runs as r where r.id = t.run_id)
      )
    for update skip locked
  );
  delete from public.tasks as t
  where t.id = any (v_task_ids);
  get diagnostics v_deleted = row_count;

  return v_deleted;
end
$$;

comment on function app.delete_finished_tasks() is
$$Deletes up to 150 tasks that ended longer ago than app.settings.task_retention. Returns the
number of deleted tasks.$$;
