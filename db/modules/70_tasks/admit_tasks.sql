-- app.admit_tasks
--
-- Writes      tasks; as app.submit_run
-- Locks       the users, for key share and with skip locked, because a user who is being deleted
--             gets no run; then lanes. The caller holds the users' rows of task_owners, so no other
--             transaction admits or adds tasks of these users
create or replace function app.admit_tasks(user_ids uuid[])
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
  v_model constant text := (
    select m.name
    from public.ai_models as m
    where m.kind = 'text' and m.is_enabled and m.is_default
  );
  v_user_ids uuid[];
  v_task public.tasks;
  v_task_ids uuid[] := '{}'::uuid[];
  v_run_ids bigint[] := '{}'::bigint[];
begin
  -- Without an enabled default model the tasks stay pending, because a callback must not raise.
  if v_model is null
    or not exists (
      select
      from public.tasks as t
      where t.status = 'pending' and t.user_id = any (admit_tasks.user_ids)
    )
  then
    return 0;
  end if;

  v_user_ids := array(
    select u.id
    from public.users as u
    where u.id = any (admit_tasks.user_ids)
    order by u.id
    for key share skip locked
  );
  for v_task in
    select q.*
    from unnest(v_user_ids) as i (id)
    -- Index lookups even on empty tables: ADR 16.
    join public.users as u on u.id = any (array[i.id])
    join public.plans as p on p.id = any (array[u.plan_id])
    cross join lateral (
      select t.*
      from public.tasks as t
      where t.status = 'pending' and t.user_id = i.id
      order by t.created_at, t.id
      limit case
        when p.tasks_running is null then 1000
        else p.tasks_running - (
          select count(*)
          from (
            select
            from public.tasks as r
            where r.user_id = i.id and r.status in ('accepted', 'started', 'in_progress')
            limit p.tasks_running
          ) as n
        )
      end
    ) as q
    order by i.id, q.created_at, q.id
  loop
    v_task_ids := v_task_ids || v_task.id;
    v_run_ids := v_run_ids || app.submit_task_run(v_task, v_model);
  end loop;

  update public.tasks as t
  set status = 'accepted', run_id = a.run_id
  from unnest(v_task_ids, v_run_ids) as a (id, run_id)
  where t.id = any (array[a.id]);

  return cardinality(v_task_ids);
end
$$;

comment on function app.admit_tasks(uuid[]) is
$$Submits the runs of the oldest pending tasks of these users, as many as plans.tasks_running
allows. Returns the number of admitted tasks.$$;
