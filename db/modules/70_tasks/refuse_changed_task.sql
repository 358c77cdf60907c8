-- app.refuse_changed_task
--
-- Errors      PT409 task_changed, always
create or replace function app.refuse_changed_task()
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  perform app.fail(
    409,
    'task_changed',
    'A task changed while the request waited for it.',
    'Repeat the request.'
  );
end
$$;

comment on function app.refuse_changed_task() is
  'Refuses a request about a task that another request changed at the same moment: 409 '
  'task_changed.';
