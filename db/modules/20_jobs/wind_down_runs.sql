-- app.wind_down_runs
--
-- Writes      job_queue, jobs, runs, step_states
-- Locks       queue rows, for which it waits until running claims commit; a step that such a claim
--             starts runs to its end. The caller holds the runs
create or replace function app.wind_down_runs(run_ids bigint[])
  returns bigint[]
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_now timestamptz := app.now();
  v_ids bigint[];
  v_run_ids bigint[];
begin
  with deleted as (
    delete from app.job_queue as q
    where q.run_id = any (wind_down_runs.run_ids)
      and q.status <> 'running'
      and q.parent_id is not null
    returning q.job_id, q.run_id, q.state
  ),
  saved as (
    insert into app.step_states as s (job_id, run_id, state)
    select d.job_id, d.run_id, d.state
    from deleted as d
    where d.state is not null
    on conflict on constraint step_states_pkey do update set state = excluded.state
  )
  select array_agg(d.job_id) into v_ids
  from deleted as d;
  if v_ids is not null then
    update public.jobs as j
    set status = 'skipped', finished_at = v_now
    where j.id = any (v_ids);
    perform app.record_events(v_ids, 'skipped');
  end if;

  -- A new statement, because only a new statement sees the steps that claims started in between.
  with deleted as (
    delete from app.job_queue as q
    where q.job_id = any (wind_down_runs.run_ids)
      and q.status <> 'running'
      and not exists (
        select from app.job_queue as o
        where o.run_id = q.job_id and o.worker_id is not null
      )
    returning q.job_id
  )
  select array_agg(d.job_id) into v_run_ids
  from deleted as d;
  if v_run_ids is not null then
    update public.jobs as j
    set
      status = 'failed',
      finished_at = v_now,
      error_slug = f.error_slug,
      error_message = case
        when f.id = j.id then f.error_message
        else left(format('Step "%s" failed: %s', f.key, f.error_message), 2000)
      end
    from app.runs as r
    -- Index lookup even on an empty table: ADR 16.
    join public.jobs as f on f.id = any (array[r.failing_step_id])
    where r.id = any (v_run_ids) and j.id = any (array[r.id]);
    update app.runs as r
    set finished_at = v_now
    where r.id = any (v_run_ids);
    perform app.record_events(v_run_ids, 'failed');
  end if;

  return coalesce(v_run_ids, '{}');
end
$$;

comment on function app.wind_down_runs(bigint[]) is
$$Skips the steps of failing runs that are not running.

Fails the roots below which no step runs any more, and returns the ids of these roots.$$;
