-- worker.leave
create or replace function worker.leave(worker_id uuid)
  returns void
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  -- After an exchange of its own that is still under way.
  perform pg_advisory_xact_lock(hashtextextended('worker ' || leave.worker_id, 0));
  -- One that still has steps is left to the sweep.
  delete from app.workers as w
  where w.id = leave.worker_id
    and not exists (select from app.job_queue as q where q.worker_id = w.id);
end
$$;

comment on function worker.leave(uuid) is 'Says that a worker ends, and has handed in everything.';

grant execute on function worker.leave(uuid) to worker;
