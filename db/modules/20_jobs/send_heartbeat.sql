-- worker.send_heartbeat
--
-- Called by   each worker process, once a second
-- Writes      workers; jobs, where a step is first seen running or reports progress
-- Errors      PT422 results_invalid
-- Locks       the rows that app.answer_heartbeat locks, with skip locked
-- Why         requeues nothing, so that a slow callback never delays a heartbeat: a worker whose
--             heartbeats are late looks silent itself
create or replace function worker.send_heartbeat(worker_id uuid, running jsonb, versions jsonb)
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
  v_types text[];
  v_waiting_fences bigint[];
begin
  perform app.require_running_list(send_heartbeat.worker_id, send_heartbeat.running);
  if jsonb_typeof(send_heartbeat.versions) is distinct from 'object'
    or exists (
      select
      from jsonb_each(send_heartbeat.versions) as v (type, version)
      where v.version::text !~ '^[1-9][0-9]{0,8}$'
    )
  then
    perform app.fail(
      422,
      'results_invalid',
      'versions is not an object of whole numbers.',
      'Send { "<type>": <version> } for each type that the worker has a handler for.'
    );
  end if;

  v_types := array(select jsonb_object_keys(send_heartbeat.versions));
  v_waiting_fences := array(
    select app.parse_bigint(r.step -> 'fence')
    from jsonb_array_elements(send_heartbeat.running) as r (step)
    where r.step -> 'waiting' = 'true'
  );
  perform app.record_heartbeat(
    send_heartbeat.worker_id, v_types, send_heartbeat.versions,
    array_remove(v_waiting_fences, null)
  );

  return app.answer_heartbeat(send_heartbeat.running, v_types) || jsonb_build_object(
    'lease_ms', (select (extract(epoch from s.job_lease) * 1000)::bigint from app.settings as s)
  );
end
$$;

comment on function worker.send_heartbeat(uuid, jsonb, jsonb) is
$$Reports that a worker is alive, which steps it holds, and which versions of which types it knows.

running: [{ id, fence, progress, waiting }], including steps whose results are not handed in yet.
waiting: true for a step that was claimed but has not begun. Clients see the others as running from
now on, with their progress. versions: { type: version } of the handlers. The worker claims no steps
of other types, and none of a later version.
Returns { stop: [{ id, fence }], wake_in_ms, lease_ms }. stop: steps whose handlers the worker must
abort, because their results are refused. wake_in_ms: milliseconds until the next step is due; null
if no step is queued. lease_ms: how long a worker may be silent before its steps are requeued.
422 results_invalid. Only for workers.$$;

grant execute on function worker.send_heartbeat(uuid, jsonb, jsonb) to worker;
