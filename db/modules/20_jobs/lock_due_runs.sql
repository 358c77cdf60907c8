-- app.lock_due_runs
--
-- Locks       rows of public.runs, with skip locked: skips a row that a deletion has locked
-- Why         one transaction is one poll of Realtime, and 300 rows take less than a second; the
--             count of 20,000 steps takes about 20 ms
create or replace function app.lock_due_runs(run_ids bigint[])
  returns bigint[]
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_now timestamptz := app.clock();
begin
  return array(
    select b.id
    from (
      select l.id, sum(l.steps) over (order by l.updated_at, l.id) - l.steps as before
      from (
        select r.job_id as id, r.updated_at, a.steps
        from public.runs as r
        cross join lateral (
          select n.steps, n.finished_at
          from app.runs as n
          -- Index lookup even on an empty table: ADR 16.
          where n.id = any (array[r.job_id])
          offset 0
        ) as a
        where r.job_id = any (lock_due_runs.run_ids)
          -- An open run with many steps is counted at a rate of 5,000 steps a second. After a clock
          -- was set back, a row that was written in the future is due at once.
          and r.updated_at not between
            v_now - case
              when a.finished_at is null and a.steps > 5000
                then interval '1 second' * a.steps / 5000
              else interval '1 second'
            end
            and v_now
        order by r.updated_at
        limit 300
        for update of r skip locked
      ) as l
    ) as b
    where b.before < 20000
  );
end
$$;

comment on function app.lock_due_runs(bigint[]) is
$$Locks the rows of public.runs of up to 300 runs that may be written now, and returns these runs.

A row may be written a second after its last write. Together the runs have about 20,000 steps at
most; a single larger run is returned alone.$$;
