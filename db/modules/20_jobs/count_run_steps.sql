-- app.count_run_steps
--
-- Writes      runs of public, where a column changes
-- Locks       none; the caller holds the rows
create or replace function app.count_run_steps(run_ids bigint[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_now timestamptz := app.clock();
begin
  update public.runs as r
  set
    status = case
      when n.has_ended then n.root_status
      -- A run that has started stays running while all its steps are queued.
      when n.has_begun or r.status = 'running' then 'running'
      else 'queued'
    end,
    progress = n.progress,
    steps_done = n.done,
    steps_failed = n.failed,
    steps_open = n.open,
    updated_at = v_now
  from (
    select
      a.id,
      a.has_ended,
      c.root_status,
      c.done + c.failed > 0 or c.is_running as has_begun,
      case
        when c.root_status = 'completed' then 1
        else round(coalesce(c.below, c.own)::numeric, 4)::real
      end as progress,
      c.done,
      c.failed,
      c.open
    from (
      select t.id, t.finished_at is not null as has_ended
      from app.runs as t
      where t.id = any (count_run_steps.run_ids)
      offset 0
    ) as a
    cross join lateral (
      select
        max(j.status) filter (where j.parent_id is null) as root_status,
        max(j.progress) filter (where j.parent_id is null) as own,
        avg(case when j.status = 'completed' then 1 else j.progress end)
          filter (where j.parent_id is not null) as below,
        count(*) filter (where j.status = 'completed')::integer as done,
        count(*) filter (where j.status = 'failed')::integer as failed,
        count(*) filter (where j.finished_at is null)::integer as open,
        bool_or(j.status = 'running') as is_running
      from public.jobs as j
      -- Index lookup even on an empty table: ADR 16.
      where j.root_id = any (array[a.id])
    ) as c
  ) as n
  where r.job_id = any (array[n.id])
    -- A step that waits for its provider changes no column for clients. The row of a large run is
    -- written even without a change, because updated_at sets the time of the next count.
    and (
      n.done + n.failed + n.open > 1000
      or r.status is distinct from case
        when n.has_ended then n.root_status
        when n.has_begun or r.status = 'running' then 'running'
        else 'queued'
      end
      or (r.progress, r.steps_done, r.steps_failed, r.steps_open)
        is distinct from (n.progress, n.done, n.failed, n.open)
    );
end
$$;

comment on function app.count_run_steps(bigint[]) is
  'Computes the status, progress and counts of runs from their steps, and writes them to '
  'public.runs.';
