-- app.wake_step
--
-- Called by   products
-- Writes      job_queue, lanes; the queue: a pump
-- Locks       the queue row, then the lane; the caller holds the run
-- Idempotent  a step that is due stays as it is
create or replace function app.wake_step(job_id bigint)
  returns boolean
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  update app.job_queue as q
  set run_at = app.now()
  where q.job_id = wake_step.job_id and q.status = 'queued' and q.run_at > app.now();
  if not found then
    return false;
  end if;
  perform app.wake_lanes(array[wake_step.job_id]);
  perform app.enqueue_pump();

  return true;
end
$$;

comment on function app.wake_step(bigint) is
$$Makes a queued step that is due later due now. Returns false if the step is not queued, or is due
already.

A step that rescheduled itself uses it to wait for an event: it reschedules to a deadline, and the
product wakes the step when the event comes. The caller locks the run first.$$;
