-- app.tg_tasks__delete_runs
--
-- Writes      runs, and by trigger their steps; as app.cancel_runs, app.admit_tasks
-- Errors      PT409 task_changed
-- Locks       the runs, without waiting, because this transaction holds rows of tasks. A DELETE of
--             a client, the deletion of a user and app.delete_finished_tasks hold the runs already
create or replace function app.tg_tasks__delete_runs()
  returns trigger
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
  v_run_ids bigint[] := array(select o.run_id from old_tasks as o where o.run_id is not null);
  v_user_ids uuid[] := array(
    select distinct o.user_id
    from old_tasks as o
    where o.status in ('accepted', 'started', 'in_progress')
  );
begin
  if v_run_ids <> '{}' then
    v_run_ids := array(
      select r.id
      from app.runs as r
      where r.id = any (v_run_ids)
      order by r.id + 0
      for update nowait
    );
    perform app.cancel_runs(v_run_ids);
    delete from app.runs as r
    where r.id = any (v_run_ids);
  end if;
  if v_user_ids <> '{}' then
    -- A DELETE of a client holds these rows already; other deletions lock them here.
    v_user_ids := array(
      select o.user_id
      from app.task_owners as o
      where o.user_id = any (v_user_ids)
      for update skip locked
    );
    perform app.admit_tasks(v_user_ids);
  end if;

  return null;
exception
  when lock_not_available then
    perform app.refuse_changed_task();
    return null;
end
$$;

comment on function app.tg_tasks__delete_runs() is
  'Cancels and deletes the runs of deleted tasks, and admits the next pending tasks of their '
  'users.';
