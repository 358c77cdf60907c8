-- app.describe_task_error
create or replace function app.describe_task_error(slug text, message text)
  returns text
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return case
    -- Messages of the job engine are for the authors of handlers.
    when describe_task_error.message is null
      or describe_task_error.slug in (
        'callback_failed', 'children_invalid', 'handler_crashed', 'handler_failed',
        'input_too_large', 'output_too_large', 'result_timed_out', 'state_too_large', 'timed_out',
        'too_many_turns', 'worker_lost', 'worker_stalled'
      )
    then 'The agent had an internal fault. Retry the task. If the task fails again, tell the '
      'operator the id of its run.'
    else describe_task_error.message
  end;
end
$$;

comment on function app.describe_task_error(text, text) is
  'Returns the sentence that a user sees as the error of a task whose run failed with this slug '
  'and message.';
