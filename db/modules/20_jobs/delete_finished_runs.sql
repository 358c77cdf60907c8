-- app.delete_finished_runs
--
-- Called by   schedule delete-finished-runs
-- Writes      runs, and by trigger their steps
-- Locks       runs, with skip locked: a run that retry_job holds is kept
create or replace function app.delete_finished_runs()
  returns integer
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_run_ids bigint[];
begin
  -- As many runs as have about 5,000 steps together, because deleting those takes about a second.
  -- At most 300 runs, because each row of public.runs is an event of Realtime: ADR 24.
  v_run_ids := array(
    select b.id
    from (
      select l.id, sum(l.steps) over (order by l.finished_at, l.id) - l.steps as before
      from (
        select r.id, r.finished_at, r.steps
        from app.runs as r
        where r.finished_at < app.now() - (select s.job_retention from app.settings as s)
        order by r.finished_at
        limit 300
        for update skip locked
      ) as l
    ) as b
    where b.before < 5000
  );
  delete from app.runs as r
  where r.id = any (v_run_ids);

  return cardinality(v_run_ids);
end
$$;

comment on function app.delete_finished_runs() is
$$Deletes runs that finished longer ago than app.settings.job_retention, with their steps.

Deletes up to 300 runs with about 5,000 steps per call and returns the number of runs.$$;
