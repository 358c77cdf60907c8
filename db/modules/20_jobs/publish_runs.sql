-- app.publish_runs, worker.publish_runs
--
-- Called by   each worker process, about once a second
-- Writes      runs of public; run_changes
-- Locks       an advisory lock, which it tries without waiting, so that one sweep writes at a time;
--             then runs without a row of public.runs, for key share, and rows of public.runs, both
--             with skip locked. Never waits, and locks after all other locks of its transaction
-- Idempotent  counts the steps each time, so a repeated call changes nothing
-- Why         a step never writes the row of its run in public.runs, because all steps of a run
--             would then wait for each other, and each step would be an event of Realtime. The step
--             inserts a row of app.run_changes instead. This row remains if a worker dies, so no
--             final status is lost. The changes of a run are deleted under the lock of its row, and
--             a later statement counts the steps. If this statement does not see a step yet, the
--             change of the step remains for the next sweep
create or replace function app.publish_runs()
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
  v_last_id bigint;
  v_changed_ids bigint[];
  v_run_ids bigint[];
  v_deleted integer;
begin
  -- Row locks alone do not keep two sweeps apart: skip locked waits where Postgres follows a row to
  -- a newer version that another sweep has locked.
  if not pg_try_advisory_xact_lock(hashtextextended('publish runs', 0)) then
    return 0;
  end if;

  -- The limit is larger than the number of changes of a few large runs between two counts, so these
  -- changes never hide the changes of other runs.
  select max(c.id), array_agg(distinct c.run_id)
  into v_last_id, v_changed_ids
  from (
    select n.id, n.run_id
    from app.run_changes as n
    order by n.id
    limit 20000
  ) as c;
  if v_last_id is null then
    return 0;
  end if;

  -- The next call writes rows, because a transaction with many rows is a long poll of Realtime.
  v_deleted := app.forget_deleted_runs(v_changed_ids, v_last_id);
  if v_deleted > 0 then
    return v_deleted;
  end if;

  perform app.insert_missing_runs(v_changed_ids);
  v_run_ids := app.lock_due_runs(v_changed_ids);
  if v_run_ids = '{}' then
    return 0;
  end if;

  delete from app.run_changes as c
  where c.id <= v_last_id and c.run_id = any (v_run_ids);
  perform app.count_run_steps(v_run_ids);

  return cardinality(v_run_ids);
end
$$;

comment on function app.publish_runs() is
$$Writes the status, progress and counts of up to 300 changed runs to public.runs.

A run is written at most once a second, a large run less often while it is open. One call at a time
does the work; other calls at the same moment return 0 without waiting. If app.tg_runs__delete_steps
left rows of deleted runs, a call deletes up to 300 of these rows and writes no other row. Returns
the number of runs; after 300 call it again at once.$$;

create or replace function worker.publish_runs()
  returns integer
  language sql
  volatile
  security definer
  set search_path = ''
return app.publish_runs();

comment on function worker.publish_runs() is
$$Writes the status, progress and counts of up to 300 changed runs to public.runs, for clients.

Returns the number of runs. After 300, call it again at once. Only for workers.$$;

grant execute on function worker.publish_runs() to worker;
