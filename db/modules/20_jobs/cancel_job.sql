-- app.cancel_job, public.cancel_job
--
-- Called by   clients: the owner of the run, and service_role
-- Writes      the rows that app.cancel_runs writes; the run's row of public.runs
-- Errors      PT401 not_signed_in, PT404 job_not_found, PT409 job_is_step, job_finished
-- Idempotent  a cancelled run stays cancelled
-- Locks       the run; then the rows that app.cancel_runs locks; then the run's row of public.runs,
--             with skip locked
create or replace function app.cancel_job(job_id bigint)
  returns text
  language plpgsql
  volatile
  security definer
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
as $$
declare
  v_status text;
begin
  perform app.require_caller();
  perform app.require_writing();
  perform app.lock_run(cancel_job.job_id);

  v_status := (select j.status from public.jobs as j where j.id = cancel_job.job_id);
  if v_status = 'cancelled' then
    return v_status;
  end if;

  if v_status in ('completed', 'failed') then
    perform app.fail(
      409,
      'job_finished',
      format('The run has already %s.', v_status),
      'There is nothing to cancel. To run failed steps of the run again, call retry_job.'
    );
  end if;

  perform app.cancel_runs(array[cancel_job.job_id]);
  perform app.show_run(cancel_job.job_id);

  return 'cancelled';
end
$$;

comment on function app.cancel_job(bigint) is 'Cancels a run; see public.cancel_job.';

create or replace function public.cancel_job(job_id bigint)
  returns text
  language sql
  volatile
  set search_path = ''
return app.cancel_job(job_id);

comment on function public.cancel_job(bigint) is
$$Cancels a run at once.

job_id: the root of the run. Every step that has not finished becomes cancelled. Workers abort the
handlers of running steps within 2 s; their results are refused. Returns "cancelled", also for a run
that was cancelled before.
404 job_not_found. 409 job_is_step, job_finished. Origin 002.$$;

grant execute on function app.cancel_job(bigint) to anon, authenticated, service_role;
grant execute on function public.cancel_job(bigint) to anon, authenticated, service_role;
