-- worker.heartbeat, worker.leave
--
-- Called by   each worker process, once a second, and at its end
-- Writes      workers; jobs, where a step is first seen running or tells its progress; what app.return_lost_steps writes
-- Locks       silent workers, and the runs of steps that are lost; then, with skip locked, the runs of what it publishes: a run that is
--             being changed is published a second later
create or replace function worker.heartbeat(worker_id uuid, running jsonb, types text[] default null)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = ''
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
    perform app.fail(422, 'results_invalid', 'A worker sends its id and a list of results.');
  end if;

  insert into app.workers as w (id, heartbeat_at, started_at, types)
  values (heartbeat.worker_id, v_now, v_now, heartbeat.types)
  on conflict on constraint workers_pkey do update set heartbeat_at = v_now, types = excluded.types;
  perform app.return_lost_steps(heartbeat.worker_id, heartbeat.running);

  -- What is gone, has another fence, or belongs to a run that is failing.
  select jsonb_agg(jsonb_build_object('id', h.step -> 'id', 'fence', h.step -> 'fence')) into v_stop
  from jsonb_array_elements(heartbeat.running) as h (step)
  where not exists (
    select
    from app.job_queue as q
    join app.runs as r on r.id = q.run_id
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
    select q.job_id, q.claimed_at, round(least(greatest((h.step ->> 'progress')::numeric, 0), 1), 4)::real as progress
    from jsonb_array_elements(heartbeat.running) as h (step)
    join app.job_queue as q
      on q.job_id = any (array[app.parse_bigint(h.step -> 'id')])
      and q.fence = app.parse_bigint(h.step -> 'fence')
      and q.worker_id is not null
      and q.run_id = any (v_run_ids)
    where jsonb_typeof(coalesce(h.step -> 'progress', '0')) = 'number'
  ) as p
  where j.id = any (array[p.job_id]) and (j.status <> 'running' or p.progress > j.progress);

  return jsonb_build_object('stop', coalesce(v_stop, '[]'), 'wake_in_ms', app.find_wake_in_ms(heartbeat.types));
end
$$;

comment on function worker.heartbeat(uuid, jsonb, text[]) is
$$Says that a worker lives, what it holds, [{ id, fence, progress }], results that are not handed in yet included, and the types that it has handlers for (null: all).

Clients see those steps as running from then on, with their progress. Steps of workers that were silent for longer than
app.settings.job_lease go back to the queue, and so do steps of this one that it does not name, and was given longer ago: it
never got them. Returns { stop: [{ id, fence }], wake_in_ms }: handlers to stop, whose results
will not count; and in how many milliseconds a step is due (null: none).$$;

grant execute on function worker.heartbeat(uuid, jsonb, text[]) to worker;
