-- app.tg_tasks__refuse_arrow
--
-- Errors      PT409 task_status_invalid
create or replace function app.tg_tasks__refuse_arrow()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  perform app.fail(
    409,
    'task_status_invalid',
    format('A task that is %s cannot become %s.', old.status, new.status),
    'Call cancel_task, retry_task or answer_task instead.'
  );

  return null;
end
$$;

comment on function app.tg_tasks__refuse_arrow() is
  'Refuses a transition that the condition of the trigger does not list, for every writer.';
