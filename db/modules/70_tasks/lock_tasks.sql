-- app.tg_tasks__lock_tasks
--
-- Errors      PT409 task_changed
-- Locks       the user, for key share; the open runs of the user's tasks, lowest id first; the
--             user's row of task_owners
-- Why         a statement of a client locks the rows of tasks in any order. A worker holds runs
--             while it changes tasks, so this trigger locks the runs first. It locks all open runs
--             of the user, because it cannot know which tasks the statement changes
create or replace function app.tg_tasks__lock_tasks()
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
  v_user_id uuid := app.require_user();
  v_run_ids bigint[];
begin
  perform app.require_read_committed();
  perform
  from public.users as u
  where u.id = v_user_id
  for key share;
  v_run_ids := array(
    select r.id
    from app.runs as r
    where r.id = any (
      array(
        select t.run_id
        from public.tasks as t
        where t.user_id = v_user_id
          and t.status in ('accepted', 'started', 'in_progress', 'input_required')
      )
    )
    order by r.id + 0
    for update
  );
  perform app.lock_task_owner(v_user_id);
  -- Locks the runs that were submitted while this transaction waited.
  perform
  from app.runs as r
  where r.id = any (
      array(
        select t.run_id
        from public.tasks as t
        where t.user_id = v_user_id
          and t.status in ('accepted', 'started', 'in_progress', 'input_required')
      )
    )
    and r.id <> all (v_run_ids)
  for update nowait;

  return null;
exception
  when lock_not_available then
    perform app.refuse_changed_task();
    return null;
end
$$;

comment on function app.tg_tasks__lock_tasks() is
  'Locks the tasks of a user before the user changes or deletes some of them.';
