-- app.complete_joined_steps
--
-- Writes      jobs
-- Locks       none; the caller holds the runs
create or replace function app.complete_joined_steps(job_ids bigint[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_now timestamptz := app.now();
begin
  update public.jobs as j
  set
    status = 'completed',
    progress = 1,
    started_at = coalesce(j.started_at, v_now),
    worked_at = coalesce(j.worked_at, v_now),
    finished_at = v_now,
    output_bytes = case
      when j.collects
        then least(
          j.output_bytes + (
            select coalesce(sum(c.output_bytes), 0) from public.jobs as c where c.parent_id = j.id
          ),
          2147483647
        )::integer
      else j.output_bytes
    end
  where j.id = any (complete_joined_steps.job_ids);
  perform app.record_events(complete_joined_steps.job_ids, 'completed');
end
$$;

comment on function app.complete_joined_steps(bigint[]) is
$$Completes steps whose own work is done and whose children, if any, are all settled.

Adds the output sizes of the children to steps that collect them.$$;
