-- app.enqueue
--
-- Writes      graphile_worker: one job
-- Why         Only this function and enqueue_many write to the queue. The job appears when the
--             transaction commits.
create or replace function app.enqueue(
  task text,
  payload jsonb default '{}',
  job_key text default null,
  run_at timestamptz default null
)
  returns void
  language sql
  volatile
  set search_path = ''
begin atomic
  select graphile_worker.add_job(
    identifier => enqueue.task,
    payload => enqueue.payload::json,
    job_key => enqueue.job_key,
    run_at => enqueue.run_at
  );
end;

comment on function app.enqueue(text, jsonb, text, timestamptz) is
  'Enqueues a task (worker/tasks) with this payload; a worker runs it after the transaction '
  'commits, or at run_at. A job with the same job_key that has not started is replaced.';
