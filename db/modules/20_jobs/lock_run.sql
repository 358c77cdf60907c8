-- app.lock_run
--
-- Errors      PT404 job_not_found, PT409 job_is_step
-- Locks       the run
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
      format(
        'Job %s is not the root of its run. Only a whole run can be cancelled or retried.',
        lock_run.job_id
      ),
      format('Use the id of its root job: %s.', v_root_id)
    );
  end if;

  perform
  from app.runs as r
  where r.id = lock_run.job_id
  for update;
  if not found then
    perform app.fail(
      404, 'job_not_found', 'Job not found.', 'Use an id that table jobs shows to you.'
    );
  end if;
end
$$;

comment on function app.lock_run(bigint) is
$$Locks the run of this root job until the transaction ends.

404 for a job that the caller may not see, 409 for a step.$$;
