-- worker.leave
--
-- Called by   each worker process, when it ends
-- Writes      workers; the rows that app.apply_free_results writes
-- Locks       the worker, by an advisory lock, which waits for an exchange of the same worker, for
--             1.5 s at most; then the rows that app.apply_free_results locks
create or replace function worker.leave(worker_id uuid)
  returns void
  language plpgsql
  volatile
  security definer
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
as $$
declare
  v_lock_timeout text := current_setting('lock_timeout');
  v_is_busy boolean := false;
  v_results jsonb;
begin
  begin
    perform set_config('lock_timeout', '1500', true);
    perform pg_advisory_xact_lock(hashtextextended('worker ' || leave.worker_id, 0));
  exception
    -- An exchange waits for rows that a client has locked. The worker does not wait for its end.
    when lock_not_available then
      v_is_busy := true;
  end;
  perform set_config('lock_timeout', v_lock_timeout, true);
  -- A worker that signs off has neither crashed nor stalled, so no step counts a loss.
  select jsonb_agg(
    jsonb_build_object('id', q.job_id, 'fence', q.fence, 'outcome', 'returned')
  )
  into v_results
  from app.job_queue as q
  where q.status = 'running' and q.worker_id = leave.worker_id;
  if v_results is not null and not v_is_busy then
    -- Short, because a result that waits holds the runs of the others.
    perform app.apply_free_results(v_results, 50);
    perform app.enqueue_pump();
  end if;

  -- If another transaction has locked the run of a step, the worker stays until a sweep, which
  -- counts no loss for the steps in waiting_fences.
  update app.workers as w
  set waiting_fences = r.fences
  from (
    select array_agg(q.fence) as fences
    from app.job_queue as q
    where q.status = 'running' and q.worker_id = leave.worker_id
  ) as r
  where w.id = leave.worker_id and r.fences is not null;
  delete from app.workers as w
  where not v_is_busy
    and w.id = leave.worker_id
    and not exists (select from app.job_queue as q where q.worker_id = w.id);
end
$$;

comment on function worker.leave(uuid) is
$$Removes a worker that ends. Requeues the steps that the worker still has, and counts nothing for
them: the worker never received these steps or could not hand in their results.

Only for workers.$$;

grant execute on function worker.leave(uuid) to worker;
