-- worker.requeue_lost_steps
--
-- Called by   each worker process, about once a second, on a connection of its own
-- Writes      the rows that app.return_lost_steps and app.publish_runs write
-- Errors      PT422 results_invalid
-- Locks       the rows that app.return_lost_steps locks, then those of app.publish_runs
create or replace function worker.requeue_lost_steps(worker_id uuid, running jsonb)
  returns integer
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
  v_requeued integer;
begin
  perform app.require_running_list(requeue_lost_steps.worker_id, requeue_lost_steps.running);

  v_requeued := app.return_lost_steps(requeue_lost_steps.worker_id, requeue_lost_steps.running);
  -- Workers of the last release do not call worker.publish_runs.
  perform app.publish_runs();

  return v_requeued;
end
$$;

comment on function worker.requeue_lost_steps(uuid, jsonb) is
$$Requeues the steps of workers that were silent for longer than app.settings.job_lease, and steps
that this worker claimed longer ago but does not list, because it never received them.

running: [{ id, fence }], as for worker.send_heartbeat. A step that may have begun counts a loss. A
step that a silent worker reported as waiting, or that this worker never received, counts nothing.
Silence counts only while this worker has sent heartbeats without a gap, because in an outage of the
database all workers look silent. Returns how many steps it requeued or failed.
422 results_invalid. Only for workers.$$;

grant execute on function worker.requeue_lost_steps(uuid, jsonb) to worker;
