-- app.cancel_runs
--
-- Writes      jobs, job_queue, runs, step_states, run_changes; the rows that on_run_ended writes
-- Locks       the runs, lowest id first; then queue rows, for which it waits until running claims
--             commit (a claim waits for no lock); then the rows that callbacks lock
-- Idempotent  passes over runs that have ended
create or replace function app.cancel_runs(run_ids bigint[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_now timestamptz := app.now();
  v_run_ids bigint[];
  v_ids bigint[];
  v_begun_ids bigint[];
  v_begun_at timestamptz[];
begin
  -- Postgres checks finished_at again after it has waited for a lock.
  v_run_ids := array(
    select r.id
    from app.runs as r
    where r.id = any (cancel_runs.run_ids) and r.finished_at is null
    -- "+ 0" keeps the planner from reading the primary key from end to end: ADR 16.
    order by r.id + 0
    for update
  );
  if v_run_ids = '{}' then
    return;
  end if;

  with deleted as (
    delete from app.job_queue as q
    where q.run_id = any (v_run_ids)
    returning q.job_id, q.run_id, q.claimed_at, q.state
  ),
  saved as (
    insert into app.step_states as s (job_id, run_id, state)
    select d.job_id, d.run_id, d.state
    from deleted as d
    where d.state is not null
    on conflict on constraint step_states_pkey do update set state = excluded.state
  )
  select
    coalesce(array_agg(d.job_id) filter (where d.claimed_at is null), '{}'),
    coalesce(array_agg(d.job_id) filter (where d.claimed_at is not null), '{}'),
    array_agg(d.claimed_at) filter (where d.claimed_at is not null)
  into v_ids, v_begun_ids, v_begun_at
  from deleted as d;
  update public.jobs as j
  set status = 'cancelled', finished_at = v_now
  where j.id = any (v_ids);
  -- A running step may never have been published, and on_run_ended counts what has begun.
  update public.jobs as j
  set
    status = 'cancelled',
    started_at = coalesce(j.started_at, b.claimed_at),
    finished_at = v_now
  from unnest(v_begun_ids, v_begun_at) as b (id, claimed_at)
  -- Index lookup even on an empty table: ADR 16.
  where j.id = any (array[b.id]);
  update app.runs as r
  set finished_at = v_now, failing_step_id = null
  where r.id = any (v_run_ids);
  insert into app.run_changes (run_id)
  select r.id
  from unnest(v_run_ids) as r (id);
  perform app.record_events(v_ids || v_begun_ids, 'cancelled');
  perform app.run_callbacks('{}', '{}', v_run_ids);
end
$$;

comment on function app.cancel_runs(bigint[]) is
$$Cancels every unfinished step of the open runs among run_ids. Saved states survive, for
app.retry_job.

Products may call it, also from a callback.$$;
