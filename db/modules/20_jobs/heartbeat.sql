-- worker.heartbeat
--
-- Called by   worker processes of the last release, once a second
-- Writes      workers; the rows that app.return_lost_steps, app.answer_heartbeat and
--             app.publish_runs write
-- Errors      PT422 results_invalid
-- Locks       the rows that app.return_lost_steps locks; then those of app.answer_heartbeat and
--             app.publish_runs
create or replace function worker.heartbeat(
  worker_id uuid,
  running jsonb,
  types text[] default null
)
  returns jsonb
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
  v_answer jsonb;
begin
  perform app.require_running_list(heartbeat.worker_id, heartbeat.running);

  perform app.record_heartbeat(heartbeat.worker_id, heartbeat.types, null, '{}');
  perform app.return_lost_steps(heartbeat.worker_id, heartbeat.running);
  v_answer := app.answer_heartbeat(heartbeat.running, heartbeat.types);
  perform app.publish_runs();

  return v_answer;
end
$$;

comment on function worker.heartbeat(uuid, jsonb, text[]) is
$$Reports that a worker is alive, and which steps it holds; requeues lost steps. Replaced by
worker.send_heartbeat and worker.requeue_lost_steps; only workers of the last release call it.

running: [{ id, fence, progress }], including steps whose results are not handed in yet. types: the
types that the worker has handlers for, at version 1; null: every type.
Returns { stop: [{ id, fence }], wake_in_ms }, as worker.send_heartbeat does.
422 results_invalid. Only for workers.$$;

grant execute on function worker.heartbeat(uuid, jsonb, text[]) to worker;
