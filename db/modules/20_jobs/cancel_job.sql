-- app.cancel_job, public.cancel_job
--
-- Called by   the owner; service_role
-- Writes      jobs, job_queue, runs
-- Errors      PT404 job_not_found, PT409 job_is_step, job_finished
-- Idempotent  what is cancelled already stays so
-- Locks       the run; queue rows (a claim under way is waited for: it waits for nobody)
create or replace function app.cancel_job(job_id bigint)
  returns text
  language plpgsql
  volatile
  security definer
  set search_path = ''
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
as $$
declare
  v_now timestamptz := app.now();
  v_status text;
  v_ids bigint[];
begin
  perform app.lock_run(cancel_job.job_id);

  v_status := (select j.status from public.jobs as j where j.id = cancel_job.job_id);
  if v_status = 'cancelled' then
    return v_status;
  end if;
  if v_status in ('completed', 'failed') then
    perform app.fail(409, 'job_finished', format('The job is %s.', v_status), 'Nothing is left to cancel; retry_job runs again what has failed.');
  end if;

  with gone as (
    delete from app.job_queue as q
    where q.run_id = cancel_job.job_id
    returning q.job_id
  )
  select array_agg(g.job_id) into v_ids
  from gone as g;
  update public.jobs as j
  set status = 'cancelled', finished_at = v_now
  where j.id = any (v_ids);
  update app.runs as r
  set finished_at = v_now, failing_step_id = null
  where r.id = cancel_job.job_id;
  perform app.record_events(v_ids, 'cancelled');

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

job_id: the root. Every step that is not finished is cancelled; handlers that run are told within 2 s, and what they still hand in
is refused. Returns "cancelled", also where it was already. 404 job_not_found. 409 job_is_step, job_finished.$$;

grant execute on function app.cancel_job(bigint) to authenticated, service_role;
grant execute on function public.cancel_job(bigint) to authenticated, service_role;
