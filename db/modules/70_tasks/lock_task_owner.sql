-- app.lock_task_owner
--
-- Writes      task_owners
-- Errors      PT404 owner_not_found, PT503 profile_missing
-- Locks       the user, for key share; then the user's row of task_owners. A caller that locks runs
--             locks the user before the runs
-- Why         the update reads the clock after it has locked the row, because a transaction that
--             began before midnight must not reset the count of the new day
create or replace function app.lock_task_owner(user_id uuid, tasks integer default 0)
  returns integer
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_tasks_of_day integer;
begin
  perform
  from public.users as u
  where u.id = lock_task_owner.user_id
  for key share;
  if not found then
    perform app.refuse_owner(lock_task_owner.user_id, 'Send the id of an existing user.');
  end if;

  insert into app.task_owners as o (user_id, day, tasks_of_day)
  values (
    lock_task_owner.user_id,
    (app.clock() at time zone 'UTC')::date,
    greatest(lock_task_owner.tasks, 0)
  )
  on conflict on constraint task_owners_pkey do update set
    day = (app.clock() at time zone 'UTC')::date,
    tasks_of_day = greatest(
      case when o.day = (app.clock() at time zone 'UTC')::date then o.tasks_of_day else 0 end
        + lock_task_owner.tasks,
      0
    )
  returning o.tasks_of_day into v_tasks_of_day;
  -- Tells app.lock_task_owners that this transaction holds a row of task_owners.
  perform set_config('plinth.holds_task_owners', 'on', true);

  return v_tasks_of_day;
end
$$;

comment on function app.lock_task_owner(uuid, integer) is
$$Locks the tasks of a user until the transaction ends, and adds tasks to the user's tasks of the
day. Returns how many tasks the user has submitted or retried today (UTC).

404 owner_not_found. 503 profile_missing.$$;
