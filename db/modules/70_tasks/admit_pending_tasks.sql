-- app.admit_pending_tasks
--
-- Called by   schedule admit-pending-tasks, because an operator may have raised a limit
-- Writes      as app.admit_tasks
-- Locks       rows of task_owners, with skip locked: the next call admits tasks of skipped users
create or replace function app.admit_pending_tasks()
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
  v_user_ids uuid[];
begin
  v_user_ids := array(
    -- One index lookup per user, however many tasks wait.
    with recursive waiting as (
      (
        select t.user_id
        from public.tasks as t
        where t.status = 'pending'
        order by t.user_id
        limit 1
      )
      union all
      select (
        select t.user_id
        from public.tasks as t
        where t.status = 'pending' and t.user_id > w.user_id
        order by t.user_id
        limit 1
      )
      from waiting as w
      where w.user_id is not null
    )
    select w.user_id
    from waiting as w
    join public.users as u on u.id = any (array[w.user_id])
    join public.plans as p on p.id = any (array[u.plan_id])
    where p.tasks_running is null
      or (
        select count(*)
        from (
          select
          from public.tasks as r
          where r.user_id = w.user_id and r.status in ('accepted', 'started', 'in_progress')
          limit p.tasks_running
        ) as n
      ) < p.tasks_running
    -- Each admitted task and its run are events of Realtime: ADR 24.
    limit 50
  );
  v_user_ids := array(
    select o.user_id
    from app.task_owners as o
    where o.user_id = any (v_user_ids)
    order by o.user_id
    for update skip locked
  );

  return app.admit_tasks(v_user_ids);
end
$$;

comment on function app.admit_pending_tasks() is
$$Admits pending tasks of up to 50 users who have a free running slot. Returns the number of
admitted tasks.$$;
