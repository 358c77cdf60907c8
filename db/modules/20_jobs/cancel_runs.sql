-- app.cancel_runs
--
-- Writes      jobs, job_queue, runs; what on_run_ended writes
-- Locks       the caller holds the runs; queue rows (a claim under way is waited for: a claim waits for nobody)
create or replace function app.cancel_runs(run_ids bigint[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_now timestamptz := app.now();
  v_ids bigint[];
begin
  with gone as (
    delete from app.job_queue as q
    where q.run_id = any (cancel_runs.run_ids)
    returning q.job_id
  )
  select array_agg(g.job_id) into v_ids
  from gone as g;
  update public.jobs as j
  set status = 'cancelled', finished_at = v_now
  where j.id = any (v_ids);
  update app.runs as r
  set finished_at = v_now, failing_step_id = null
  where r.id = any (cancel_runs.run_ids);
  perform app.record_events(v_ids, 'cancelled');
  perform app.run_callbacks('{}', '{}', cancel_runs.run_ids);
end
$$;

comment on function app.cancel_runs(bigint[]) is 'Cancels open runs: every step that is not finished.';
