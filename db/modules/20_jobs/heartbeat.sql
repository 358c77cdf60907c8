-- worker.heartbeat
--
-- Called by   each worker process, once a second
-- Writes      workers; jobs, where a step is first seen running or reports progress; what
--             app.return_lost_steps writes
-- Errors      PT422 results_invalid
-- Locks       the rows that app.return_lost_steps locks; then the runs of the listed steps, with
--             skip locked: the progress of a run that another transaction changes is published a
--             second later
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
  -- Index lookups only, whatever the statistics say: ADR 8.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
as $$
declare
  v_now timestamptz := app.now();
  v_run_ids bigint[];
  v_stop jsonb;
begin
  if jsonb_typeof(heartbeat.running) is distinct from 'array' or heartbeat.worker_id is null then
    perform app.fail(
      422,
      'results_invalid',
      'worker_id is missing, or running is not a JSON array.',
      'Send the id of the worker and an array of { id, fence, progress }.'
    );
  end if;

  insert into app.workers as w (id, heartbeat_at, started_at, types)
  values (heartbeat.worker_id, v_now, v_now, heartbeat.types)
  on conflict on constraint workers_pkey do update set
    heartbeat_at = v_now,
    types = excluded.types;
  perform app.return_lost_steps(heartbeat.worker_id, heartbeat.running);

  -- Steps that are not running under this fence any more, and steps of failing runs.
  select jsonb_agg(jsonb_build_object('id', h.step -> 'id', 'fence', h.step -> 'fence')) into v_stop
  from jsonb_array_elements(heartbeat.running) as h (step)
  where not exists (
    select
    from app.job_queue as q
    join app.runs as r on r.id = q.run_id
    -- Index lookup even on an empty table: ADR 8.
    where q.job_id = any (array[app.parse_bigint(h.step -> 'id')])
      and q.fence = app.parse_bigint(h.step -> 'fence')
      and q.worker_id is not null
      and r.failing_step_id is null
  );

  v_run_ids := array(
    select r.id
    from app.runs as r
    where r.id = any (
      array(
        select q.run_id
        from jsonb_array_elements(heartbeat.running) as h (step)
        join app.job_queue as q on q.job_id = any (array[app.parse_bigint(h.step -> 'id')])
      )
    )
    for update skip locked
  );
  update public.jobs as j
  set
    status = 'running',
    started_at = coalesce(j.started_at, p.claimed_at),
    progress = greatest(j.progress, p.progress)
  from (
    select
      q.job_id,
      q.claimed_at,
      round(least(greatest((h.step ->> 'progress')::numeric, 0), 1), 4)::real as progress
    from jsonb_array_elements(heartbeat.running) as h (step)
    join app.job_queue as q
      on q.job_id = any (array[app.parse_bigint(h.step -> 'id')])
      and q.fence = app.parse_bigint(h.step -> 'fence')
      and q.worker_id is not null
      and q.run_id = any (v_run_ids)
    where jsonb_typeof(coalesce(h.step -> 'progress', '0')) = 'number'
  ) as p
  where j.id = any (array[p.job_id]) and (j.status <> 'running' or p.progress > j.progress);

  return jsonb_build_object(
    'stop', coalesce(v_stop, '[]'),
    'wake_in_ms', app.find_wake_in_ms(heartbeat.types)
  );
end
$$;

comment on function worker.heartbeat(uuid, jsonb, text[]) is
$$Reports that a worker is alive, and which steps it holds.

running: [{ id, fence, progress }], including steps whose results are not handed in yet. Clients see
these steps as running from now on, with their progress. types: the types that the worker has
handlers for; null: every type.
Requeues the steps of workers that were silent for longer than app.settings.job_lease. Also requeues
steps that this worker claimed longer ago but does not list, because the worker never received these
steps.
Returns { stop: [{ id, fence }], wake_in_ms }. stop: steps whose handlers the worker must abort,
because their results are refused. wake_in_ms: milliseconds until the next step is due; null if no
step is queued.
422 results_invalid. Only for workers.$$;

grant execute on function worker.heartbeat(uuid, jsonb, text[]) to worker;
