-- app.require_task_room
--
-- Errors      PT429 tasks_open_reached, tasks_per_day_reached, each with Retry-After
-- Why         the caller holds the user's row of task_owners, so that no other transaction adds a
--             task. The function is volatile, so that it sees earlier rows of the same insert. The
--             day ends by app.clock, as app.lock_task_owner counts, because a transaction may have
--             waited past midnight
create or replace function app.require_task_room(user_id uuid, tasks_of_day integer)
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
  v_plan record;
  v_count record;
begin
  select p.tasks_running, p.tasks_open, p.tasks_per_day into v_plan
  from public.users as u
  join public.plans as p on p.id = any (array[u.plan_id])
  where u.id = require_task_room.user_id;
  if require_task_room.tasks_of_day > v_plan.tasks_per_day then
    perform app.fail(
      429,
      'tasks_per_day_reached',
      format('Your plan has %s tasks per day.', v_plan.tasks_per_day),
      'Wait until the day (UTC) ends.',
      jsonb_build_object(
        'Retry-After',
        ceil(
          86400 - mod(extract(epoch from app.clock()), 86400)
        )::integer::text
      )
    );
  end if;

  select
    -- A plan without a limit counts nothing, because such a user may have any number of tasks.
    case
      when v_plan.tasks_open is not null then (
        select count(*)
        from (
          select
          from public.tasks as t
          where t.user_id = require_task_room.user_id
            and t.status in ('pending', 'accepted', 'started', 'in_progress', 'input_required')
          limit v_plan.tasks_open
        ) as l
      ) >= v_plan.tasks_open
    end as is_full,
    case
      when v_plan.tasks_running is not null then (
        select count(*)
        from (
          select
          from public.tasks as t
          where t.user_id = require_task_room.user_id
            and t.status in ('accepted', 'started', 'in_progress')
          limit v_plan.tasks_running
        ) as l
      ) >= v_plan.tasks_running
    end as is_busy,
    exists (
      select
      from public.tasks as t
      where t.user_id = require_task_room.user_id and t.status = 'pending'
    ) as has_pending
  into v_count;
  if v_count.is_full then
    perform app.fail(
      429,
      'tasks_open_reached',
      format('Your plan has %s open tasks at a time.', v_plan.tasks_open),
      'Wait until a task has ended, or cancel or delete one.',
      jsonb_build_object('Retry-After', '60')
    );
  end if;

  return not coalesce(v_count.is_busy, false) and not v_count.has_pending;
end
$$;

comment on function app.require_task_room(uuid, integer) is
$$Refuses a new task that exceeds the user's plan. Returns true if a running slot is free and no
older task waits for a slot.

tasks_of_day: how many tasks the user has submitted or retried today, the new one included.
429 tasks_open_reached, tasks_per_day_reached.$$;
