-- app.require_task_quotas
--
-- Errors      PT429 tasks_open_reached, tasks_per_day_reached, each with Retry-After
-- Why         the caller holds the user's row of task_owners, so that no other transaction adds a
--             task. The function is volatile, so that it sees earlier rows of the same insert. The
--             day ends by app.clock, as app.lock_task_owner counts, because a transaction may have
--             waited past midnight
drop function if exists app.require_task_room(uuid, integer);
create or replace function app.require_task_quotas(user_id uuid, tasks_of_day integer)
  returns void
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
begin
  select p.tasks_open, p.tasks_per_day into v_plan
  from public.users as u
  join public.plans as p on p.id = any (array[u.plan_id])
  where u.id = require_task_quotas.user_id;
  if require_task_quotas.tasks_of_day > v_plan.tasks_per_day then
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

  -- A plan without a limit counts nothing, because such a user may have any number of tasks.
  if v_plan.tasks_open is not null and v_plan.tasks_open <= (
    select count(*)
    from (
      select
      from public.tasks as t
      where t.user_id = require_task_quotas.user_id
        and t.status in ('pending', 'accepted', 'started', 'in_progress', 'input_required')
      limit v_plan.tasks_open
    ) as l
  ) then
    perform app.fail(
      429,
      'tasks_open_reached',
      format('Your plan has %s open tasks at a time.', v_plan.tasks_open),
      'Wait until a task has ended, or cancel or delete one.',
      jsonb_build_object('Retry-After', '60')
    );
  end if;
end
$$;

comment on function app.require_task_quotas(uuid, integer) is
$$Refuses a new task that exceeds the user's plan.

tasks_of_day: how many tasks the user has submitted or retried today, the new one included.
429 tasks_open_reached, tasks_per_day_reached.$$;
