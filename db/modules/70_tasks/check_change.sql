-- app.tg_tasks__check_change
--
-- Errors      PT409 task_not_pending, PT422 mandate_invalid, max_ticks_invalid
create or replace function app.tg_tasks__check_change()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  if old.status <> 'pending' then
    perform app.fail(
      409,
      'task_not_pending',
      format('The task is %s. Only a pending task can be changed.', old.status),
      'Cancel the task and submit a new one.'
    );
  end if;
  perform app.require_task_form(new.mandate, new.max_ticks);

  return new;
end
$$;

comment on function app.tg_tasks__check_change() is
  'Lets a client change only pending tasks, and only to a valid mandate and number of ticks.';
