-- app.reopen_steps
--
-- Writes      jobs; job_queue.runs_alone; the rows that app.rebuild_queue writes
-- Locks       new lanes, by type; the caller holds the run
create or replace function app.reopen_steps(run_id bigint)
  returns boolean
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_ids bigint[];
  v_alone_ids bigint[];
begin
  -- Steps that did not complete, and all steps above them, whose own work stays done.
  with recursive broken as materialized (
    select j.id, j.parent_id
    from public.jobs as j
    -- Index lookups even on an empty table, here and below: ADR 16.
    where j.root_id = any (array[reopen_steps.run_id])
      and j.status in ('failed', 'skipped', 'cancelled')
  ),
  reopened as (
    select b.id, b.parent_id
    from broken as b
    union
    select p.id, p.parent_id
    from reopened as r
    cross join lateral (
      select j.id, j.parent_id
      from public.jobs as j
      where j.id = any (array[r.parent_id])
      offset 0
    ) as p
  )
  select array_agg(r.id) into v_ids
  from reopened as r;
  if v_ids is null then
    return false;
  end if;

  -- Otherwise each retry of a step that ends its process would cost its neighbours a loss.
  v_alone_ids := array(
    select j.id
    from public.jobs as j
    where j.id = any (v_ids)
      and j.error_slug in ('handler_crashed', 'worker_lost', 'worker_stalled')
  );
  update public.jobs as j
  set
    status = case when j.worked_at is null then 'blocked' else 'joining' end,
    progress = 0,
    started_at = case when j.worked_at is not null then j.started_at end,
    finished_at = null,
    output_bytes = coalesce(octet_length(j.output::text), 0),
    error_slug = null,
    error_message = null
  where j.id = any (v_ids);
  perform app.rebuild_queue(reopen_steps.run_id);
  if v_alone_ids <> '{}' then
    update app.job_queue as q
    set runs_alone = true
    where q.job_id = any (v_alone_ids) and q.lane_id is not null;
  end if;
  perform app.record_events(v_ids, 'retried');

  return true;
end
$$;

comment on function app.reopen_steps(bigint) is
$$Reopens the steps of a finished run that did not complete. False if every step is completed.

A step whose last attempt ended its process, or may have ended it, runs alone.$$;
