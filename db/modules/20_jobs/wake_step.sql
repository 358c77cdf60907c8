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
$$Makes a queued step due now. Returns false if the step is not queued, or is due already.

Lets a step wait for an event: the step reschedules itself to a deadline, and the product calls this
function when the event happens. The caller must hold the run.$$;
