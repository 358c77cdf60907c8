-- app.answer_heartbeat
--
-- Writes      jobs, where a step is first seen running or reports progress; run_changes
-- Locks       the runs of the listed steps, with skip locked: the progress of a run that another
--             transaction changes is published a second later
create or replace function app.answer_heartbeat(running jsonb, types text[])
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_run_ids bigint[];
  v_stop jsonb;
begin
  -- Steps that are not running under this fence any more, and steps of failing runs.
  select jsonb_agg(jsonb_build_object('id', h.step -> 'id', 'fence', h.step -> 'fence')) into v_stop
  from jsonb_array_elements(answer_heartbeat.running) as h (step)
  where not exists (
    select
    from app.job_queue as q
    join app.runs as r on r.id = q.run_id
    -- Index lookup even on an empty table: ADR 16.
    where q.job_id = any (array[app.parse_bigint(h.step -> 'id')])
      and q.fence = app.parse_bigint(h.step -> 'fence')
      and q.worker_id is not null
      and r.failing_step_id is null
    -- Look up step by step, here and below. If no step ran when the statistics were made, the
    -- planner would compare each listed step with each running step: ADR 16.
    offset 0
  );

  v_run_ids := array(
    select r.id
    from app.runs as r
    where r.id = any (
      array(
        select q.run_id
        from jsonb_array_elements(answer_heartbeat.running) as h (step)
        join app.job_queue as q on q.job_id = any (array[app.parse_bigint(h.step -> 'id')])
      )
    )
    for update skip locked
  );
  with shown as (
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
      from jsonb_array_elements(answer_heartbeat.running) as h (step)
      cross join lateral (
        select s.job_id, s.claimed_at
        from app.job_queue as s
        where s.job_id = any (array[app.parse_bigint(h.step -> 'id')])
          and s.fence = app.parse_bigint(h.step -> 'fence')
          and s.worker_id is not null
          and s.run_id = any (v_run_ids)
        offset 0
      ) as q
      where jsonb_typeof(coalesce(h.step -> 'progress', '0')) = 'number'
        -- A step that waits for a slot has not begun.
        and h.step -> 'waiting' is distinct from 'true'
    ) as p
    where j.id = any (array[p.job_id]) and (j.status <> 'running' or p.progress > j.progress)
    returning j.root_id
  )
  insert into app.run_changes (run_id)
  select distinct s.root_id
  from shown as s;

  return jsonb_build_object(
    'stop', coalesce(v_stop, '[]'),
    'wake_in_ms', app.find_wake_in_ms(answer_heartbeat.types)
  );
end
$$;

comment on function app.answer_heartbeat(jsonb, text[]) is
$$Shows the listed steps to clients as running, and returns { stop, wake_in_ms }; see
worker.send_heartbeat.$$;
