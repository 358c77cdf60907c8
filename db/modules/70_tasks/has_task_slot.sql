-- app.has_task_slot
--
-- Why         the caller holds the user's row of task_owners, so that no other transaction uses the
--             slot. The function is volatile, so that it sees earlier rows of the same insert
create or replace function app.has_task_slot(user_id uuid)
  returns boolean
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_tasks_running integer := (
    select p.tasks_running
    from public.users as u
    join public.plans as p on p.id = any (array[u.plan_id])
    where u.id = has_task_slot.user_id
  );
begin
  if exists (
    select
    from public.tasks as t
    where t.user_id = has_task_slot.user_id and t.status = 'pending'
  ) then
    return false;
  end if;

  -- A plan without a limit counts nothing, because such a user may have any number of tasks.
  return v_tasks_running is null or v_tasks_running > (
    select count(*)
    from (
      select
      from public.tasks as t
      where t.user_id = has_task_slot.user_id
        and t.status in ('accepted', 'started', 'in_progress')
      limit v_tasks_running
    ) as l
  );
end
$$;

comment on function app.has_task_slot(uuid) is
  'Returns whether a running slot of the user is free and no older task waits for a slot.';
