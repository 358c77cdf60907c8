-- app.describe_task_error
create or replace function app.describe_task_error(slug text, message text)
  returns text
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return case
    -- These messages of the job engine are for authors of handlers, not for users.
    when coalesce(describe_task_error.message, '') = ''
      or describe_task_error.slug in (
        'callback_failed', 'children_invalid', 'handler_crashed', 'handler_failed',
        'input_too_large', 'output_invalid', 'output_too_large', 'result_refused',
        'result_timed_out', 'state_too_large', 'step_lost', 'timed_out', 'too_many_turns',
        'worker_lost', 'worker_stalled'
      )
    then 'The agent had an internal fault. Retry the task. If the task fails again, tell the '
      'operator the id of its run.'
    -- retry_job refuses the run of a task.
    else replace(describe_task_error.message, 'Retry the run', 'Retry the task')
  end;
end
$$;

comment on function app.describe_task_error(text, text) is
  'Returns the sentence that a user sees as the error of a task whose run failed with this slug '
  'and message.';
