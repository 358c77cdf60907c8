-- app.fail_steps
--
-- Writes      jobs, job_queue, runs, step_states
-- Locks       none; the caller holds the runs
create or replace function app.fail_steps(
  job_ids bigint[],
  slugs text[],
  messages text[],
  since timestamptz[],
  states jsonb[],
  ending_ids bigint[]
)
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
    status = 'failed',
    error_slug = f.slug,
    error_message = f.message,
    output_bytes = octet_length(f.slug) + 12,
    started_at = coalesce(j.started_at, f.since),
    finished_at = v_now
  from unnest(fail_steps.job_ids, fail_steps.slugs, fail_steps.messages, fail_steps.since)
    as f (id, slug, message, since)
  -- Index lookup even on an empty table: ADR 16.
  where j.id = any (array[f.id]);
  insert into app.step_states as s (job_id, run_id, state)
  select q.job_id, q.run_id, nullif(coalesce(f.state, q.state), 'null')
  from unnest(fail_steps.job_ids, fail_steps.states) as f (id, state)
  join app.job_queue as q on q.job_id = any (array[f.id])
  where nullif(coalesce(f.state, q.state), 'null') is not null
  on conflict on constraint step_states_pkey do update set state = excluded.state;
  perform app.record_events(fail_steps.job_ids, 'failed');

  if fail_steps.ending_ids = '{}' then
    return;
  end if;

  update app.runs as r
  set failing_step_id = coalesce(r.failing_step_id, e.id)
  from (
    select q.run_id, min(q.job_id) as id
    from app.job_queue as q
    where q.job_id = any (fail_steps.ending_ids)
    group by q.run_id
  ) as e
  where r.id = any (array[e.run_id]);
  delete from app.job_queue as q
  where q.job_id = any (fail_steps.ending_ids) and q.parent_id is not null;
  -- The root stays in the queue until no step runs below it.
  update app.job_queue as q
  set status = 'blocked', worker_id = null, claimed_at = null, state = null
  where q.job_id = any (fail_steps.ending_ids) and q.parent_id is null;
end
$$;

comment on function app.fail_steps(
  bigint[], text[], text[], timestamptz[], jsonb[], bigint[]
) is
$$Fails steps permanently. Their saved states survive, for app.retry_job.

since: when each step was claimed. states: as for app.requeue_steps. ending_ids: the steps among
job_ids whose failure also fails their run; see app.wind_down_runs.$$;
