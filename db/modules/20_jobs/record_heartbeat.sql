-- app.record_heartbeat
--
-- Writes      workers
-- Why         beating_since restarts after a gap of half a lease, because a worker that was itself
--             cut off cannot tell which other workers were silent. It also restarts if the last
--             heartbeat is in the future: the clock of the database was set back, for example by a
--             failover
create or replace function app.record_heartbeat(
  worker_id uuid,
  types text[],
  versions jsonb,
  waiting_fences bigint[]
)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_now timestamptz := app.now();
  v_gap_after timestamptz := v_now - (select s.job_lease / 2 from app.settings as s);
begin
  insert into app.workers as w (
    id, heartbeat_at, beating_since, started_at, types, versions, waiting_fences
  )
  values (
    record_heartbeat.worker_id, v_now, v_now, v_now, record_heartbeat.types,
    record_heartbeat.versions, record_heartbeat.waiting_fences
  )
  on conflict on constraint workers_pkey do update set
    heartbeat_at = v_now,
    started_at = least(w.started_at, v_now),
    beating_since = case
      when w.heartbeat_at < v_gap_after or w.heartbeat_at > v_now then v_now
      else greatest(w.beating_since, w.started_at)
    end,
    types = excluded.types,
    versions = excluded.versions,
    waiting_fences = excluded.waiting_fences;
end
$$;

comment on function app.record_heartbeat(uuid, text[], jsonb, bigint[]) is
$$Records that a worker is alive.

types, versions: what the worker has handlers for; null: every type, at version 1. waiting_fences:
the fences of the steps that the worker claimed but has not begun.$$;
