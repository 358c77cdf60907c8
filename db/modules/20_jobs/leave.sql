-- worker.leave
--
-- Called by   each worker process, when it ends
-- Writes      workers
-- Locks       the worker, by an advisory lock, which waits for an exchange of the same worker
create or replace function worker.leave(worker_id uuid)
  returns void
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('worker ' || leave.worker_id, 0));
  -- A worker that still has running steps stays, so that a heartbeat finds it and requeues them.
  delete from app.workers as w
  where w.id = leave.worker_id
    and not exists (select from app.job_queue as q where q.worker_id = w.id);
end
$$;

comment on function worker.leave(uuid) is
$$Removes a worker that ends and has handed in all its results.

Only for workers.$$;

grant execute on function worker.leave(uuid) to worker;
