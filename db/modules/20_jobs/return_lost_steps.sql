-- app.return_lost_steps
--
-- Writes      workers, and what app.apply_results writes
-- Locks       silent workers, with skip locked: of many that look at the same moment, one sweeps each. A worker that comes
--             back waits for that, and finds its fences stale.
create or replace function app.return_lost_steps(worker_id uuid, running jsonb)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_lost_before timestamptz := app.now() - (select s.job_lease from app.settings as s);
  v_named_fences bigint[] := array(
    select app.parse_bigint(h.step -> 'fence')
    from jsonb_array_elements(return_lost_steps.running) as h (step)
  );
  v_worker_ids uuid[];
  v_results jsonb;
begin
  v_worker_ids := array(
    select w.id
    from app.workers as w
    where w.heartbeat_at < v_lost_before
    order by w.heartbeat_at
    limit 10
    for update skip locked
  );
  -- One in the middle of an exchange is not silent.
  v_worker_ids := array(
    select w.id
    from unnest(v_worker_ids) as w (id)
    where pg_try_advisory_xact_lock(hashtextextended('worker ' || w.id, 0))
  );

  -- All that runs is looked at, by its index: a few hundred rows a worker.
  select
    jsonb_agg(
      jsonb_build_object(
        'id', q.job_id,
        'fence', q.fence,
        'outcome', 'failed',
        'error', '{"slug": "worker_lost", "message": "The worker that was to run it fell silent, or never got it."}'::jsonb
      )
    )
  into v_results
  from app.job_queue as q
  where q.status = 'running'
    and (
      q.worker_id = any (v_worker_ids)
      -- The answer that brought it to this worker got lost.
      or q.worker_id = return_lost_steps.worker_id
        and q.claimed_at < v_lost_before
        and q.fence <> all (array_remove(v_named_fences, null))
    );
  if v_results is not null then
    perform app.apply_results(v_results);
    perform app.enqueue_pump();
  end if;

  if v_worker_ids <> '{}' then
    delete from app.workers as w
    where w.id = any (v_worker_ids);
  end if;
end
$$;

comment on function app.return_lost_steps(uuid, jsonb) is
  'Returns the steps of workers that were silent for longer than app.settings.job_lease, and those of this worker that it was given '
  'longer ago and does not have (running: [{ fence }]), each as a failure.';
