-- app.insert_missing_runs
--
-- Writes      runs of public
-- Locks       the runs, for key share, with skip locked. The caller holds the lock of the sweep
drop function if exists app.insert_missing_runs(bigint[], bigint);

create or replace function app.insert_missing_runs(run_ids bigint[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_missing_ids bigint[];
begin
  v_missing_ids := array(
    select c.id
    from unnest(insert_missing_runs.run_ids) as c (id)
    where not exists (
      select
      from public.runs as r
      -- Index lookup even on an empty table: ADR 16.
      where r.job_id = any (array[c.id])
      offset 0
    )
    limit 300
  );
  if v_missing_ids = '{}' then
    return;
  end if;

  insert into public.runs (
    job_id, owner_id, type, label, status, steps_open, created_at, updated_at
  )
  select a.id, a.owner_id, j.type, j.key, 'queued', a.steps, a.created_at, a.created_at
  from app.runs as a
  join public.jobs as j on j.id = any (array[a.id])
  where a.id = any (v_missing_ids)
  -- The deletion of a run waits for this lock, and then also deletes the new row.
  for key share of a skip locked
  on conflict on constraint runs_job_id_is_unique do nothing;
end
$$;

comment on function app.insert_missing_runs(bigint[]) is
  'Inserts rows of public.runs for changed runs that an older release submitted without one.';
