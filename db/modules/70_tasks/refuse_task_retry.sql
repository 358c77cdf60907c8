-- app.refuse_task_retry
--
-- Called by   the job engine, as on_run_reopened of run_task
-- Errors      PT409 job_closed, always
-- Why         a task may have changed or ended since its run, and retry_task counts quotas
create or replace function app.refuse_task_retry(run_ids bigint[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  perform app.fail(
    409,
    'job_closed',
    'The run belongs to a task.',
    'Call retry_task with the id of the task.'
  );
end
$$;

comment on function app.refuse_task_retry(bigint[]) is
  'Callback on_run_reopened: refuses retry_job, because retry_task retries a task.';
