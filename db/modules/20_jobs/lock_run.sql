-- app.lock_run
--
-- Errors      PT404 job_not_found, PT409 job_is_step
-- Locks       the run, until the transaction ends
create or replace function app.lock_run(job_id bigint)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_root_id bigint := app.require_job(lock_run.job_id);
begin
  if v_root_id <> lock_run.job_id then
    perform app.fail(
      409,
      'job_is_step',
      'The job is a step of a run, which is cancelled and retried as a whole.',
      format('Name its root, job %s.', v_root_id)
    );
  end if;

  perform
  from app.runs as r
  where r.id = lock_run.job_id
  for update;
  if not found then
    perform app.fail(404, 'job_not_found', 'There is no such job.');
  end if;
end
$$;

comment on function app.lock_run(bigint) is 'Locks the run whose root the caller named: 404 where it is not theirs, 409 for a step.';
