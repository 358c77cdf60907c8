-- app.retry_job, public.retry_job
--
-- Called by   clients: the owner of the run, and service_role
-- Writes      jobs, job_queue, runs, lanes, run_changes; runs of public; the queue: a pump;
--             rate_limits
-- Errors      PT401 not_signed_in, PT404 job_not_found, PT409 job_is_step, job_not_finished,
--             job_completed, job_closed, PT429 rate_limited; the errors of on_run_reopened
-- Locks       the run; then the rows that callbacks lock; then lanes; then the caller's row of
--             rate_limits; then the run's row of public.runs, with skip locked
create or replace function app.retry_job(job_id bigint)
  returns text
  language plpgsql
  volatile
  security definer
  set search_path = ''
  -- Hash joins stay on, because a retry reads a whole run at once: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
  set enable_mergejoin = off
as $$
declare
  v_limit integer;
  v_started record;
begin
  perform app.require_caller();
  perform app.require_writing();
  v_limit := (select s.job_retries_per_hour from app.settings as s);
  perform app.lock_run(retry_job.job_id);

  if exists (select from app.runs as r where r.id = retry_job.job_id and r.finished_at is null) then
    perform app.fail(
      409,
      'job_not_finished',
      'The run has not finished.',
      'Wait until the run has finished, or call cancel_job first.'
    );
  end if;

  -- A run must not reopen before on_run_ended succeeded, so stored calls are repeated first.
  if not coalesce(
    (
      select bool_and(app.repeat_callback(f.run_id, f.callback))
      from app.callback_faults as f
      where f.run_id = retry_job.job_id
    ),
    true
  ) then
    perform app.fail(
      409,
      'job_not_finished',
      'The end of the run is not processed yet.',
      'Try again in a minute. If the retry still fails, ask the operator, who finds the cause '
        'in app.callback_faults.'
    );
  end if;

  if exists (select from app.runs as r where r.id = retry_job.job_id and r.is_closed) then
    perform app.fail(
      409, 'job_closed', 'The object that the run worked on was deleted.', 'Start a new run.'
    );
  end if;

  -- Looks before the work, because a refused retry would reopen the whole run and count nothing.
  -- service_role has no limit.
  if auth.role() is distinct from 'service_role' then
    perform app.require_rate('job_retries', app.caller_key(), v_limit, interval '1 hour');
  end if;

  if not app.reopen_steps(retry_job.job_id) then
    perform app.fail(
      409,
      'job_completed',
      'Every step of the run is completed, so there is nothing to retry.',
      'Start a new run to do the work again.'
    );
  end if;

  update app.runs as r
  set finished_at = null, failing_step_id = null
  where r.id = retry_job.job_id;
  insert into app.run_changes (run_id) values (retry_job.job_id);
  perform app.call_run_reopened(retry_job.job_id);
  v_started := app.start_steps(retry_job.job_id);
  if v_started.ended_ids <> '{}' then
    perform app.run_callbacks('{}', '{}', v_started.ended_ids);
  end if;
  perform app.wake_lanes(v_started.queued_ids);
  perform app.enqueue_pump();
  if auth.role() is distinct from 'service_role' then
    perform app.take_rate('job_retries', app.caller_key(), v_limit, interval '1 hour');
  end if;
  perform app.show_run(retry_job.job_id);

  return (select j.status from public.jobs as j where j.id = retry_job.job_id);
end
$$;

comment on function app.retry_job(bigint) is 'Retries a finished run; see public.retry_job.';

create or replace function public.retry_job(job_id bigint)
  returns text
  language sql
  volatile
  -- A run of 20,000 steps takes 2 s on two free cores, and several times as long on a busy machine.
  set statement_timeout = '30s'
  set search_path = ''
return app.retry_job(job_id);

comment on function public.retry_job(bigint) is
$$Runs the failed, skipped and cancelled steps of a finished run again.

job_id: the root of the run. The run may also have completed, with failed steps in it. Completed
steps keep their outputs and do not run again. Returns the new status of the root. A user may retry
app.settings.job_retries_per_hour times an hour (30 by default).
404 job_not_found. 409 job_is_step, job_not_finished, job_completed, job_closed. 429 rate_limited.
The product of the run may refuse, too. Origin 002.$$;

grant execute on function app.retry_job(bigint) to anon, authenticated, service_role;
grant execute on function public.retry_job(bigint) to anon, authenticated, service_role;
