-- app.lock_task_owners
--
-- Errors      55P03, if the transaction holds a row of task_owners already and another transaction
--             holds one of these rows
-- Locks       the rows of task_owners, lowest id first
-- Why         one batch of results calls two callbacks, and each locks owners. Waiting in the
--             second call would break the order of the locks. The worker repeats a batch that
--             55P03 ends
create or replace function app.lock_task_owners(user_ids uuid[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  if coalesce(current_setting('plinth.holds_task_owners', true), '') = 'on' then
    perform
    from app.task_owners as o
    where o.user_id = any (lock_task_owners.user_ids)
    for update nowait;
    return;
  end if;

  perform
  from app.task_owners as o
  where o.user_id = any (lock_task_owners.user_ids)
  order by o.user_id
  for update;
  perform set_config('plinth.holds_task_owners', 'on', true);
end
$$;

comment on function app.lock_task_owners(uuid[]) is
  'Locks the tasks of these users until the transaction ends, for a callback.';
