-- app.cancel_overdue_holds
--
-- Called by   schedule cancel-overdue-holds
-- Writes      as app.cancel_runs: the callback of the run releases its hold
-- Locks       the runs, with skip locked; then as app.cancel_runs
create or replace function app.cancel_overdue_holds()
  returns integer
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
as $$
declare
  v_run_ids bigint[];
begin
  v_run_ids := array(
    select r.id
    from app.runs as r
    where r.id = any (
        array(
          select h.run_id
          from public.credit_holds as h
          -- Holds whose run has ended wait for a repeated callback. They must not fill the batch.
          join app.runs as o on o.id = any (array[h.run_id]) and o.finished_at is null
          where h.ended_at is null and h.expires_at <= app.now()
          order by h.expires_at
          -- A user's row, a generation and a notification are events of Realtime: ADR 24.
          limit 100
        )
      )
      and r.finished_at is null
    -- "+ 0" keeps the planner from reading the primary key from end to end: ADR 16.
    order by r.id + 0
    for update skip locked
  );
  perform app.cancel_runs(v_run_ids);

  return cardinality(v_run_ids);
end
$$;

comment on function app.cancel_overdue_holds() is
$$Cancels up to 100 runs whose hold is older than app.settings.credit_hold_max. Returns the number
of runs.$$;
