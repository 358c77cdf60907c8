-- app.return_lost_steps
--
-- Writes      workers; the rows that app.apply_results writes
-- Locks       silent workers, with skip locked, so that of many heartbeats at the same moment one
--             sweeps each worker (a worker that returns waits for that, and finds its fences
--             stale); then the runs of all lost steps, lowest id first
-- Why         each worker is swept in a subtransaction, so that a callback that runs into a
--             deadlock or a lock timeout stops neither the heartbeat nor the sweep of other workers
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
  v_one record;
  v_error text;
begin
  v_worker_ids := array(
    select w.id
    from app.workers as w
    where w.heartbeat_at < v_lost_before
    order by w.heartbeat_at
    limit 10
    for update skip locked
  );
  -- A worker in the middle of an exchange is not silent.
  v_worker_ids := array(
    select w.id
    from unnest(v_worker_ids) as w (id)
    where pg_try_advisory_xact_lock(hashtextextended('worker ' || w.id, 0))
  );
  -- Reads every running step by its index: a few hundred rows per worker.
  select
    jsonb_agg(
      jsonb_build_object(
        'worker_id', q.worker_id,
        'id', q.job_id,
        'fence', q.fence,
        'outcome', 'failed',
        'error', jsonb_build_object(
          'slug', 'worker_lost',
          'message',
          'The worker stopped sending heartbeats, or never received the step. If this happens '
          'again, see the log of the worker.'
        )
      )
    )
  into v_results
  from app.job_queue as q
  where q.status = 'running'
    and (
      q.worker_id = any (v_worker_ids)
      -- The answer with this step never reached the calling worker.
      or (
        q.worker_id = return_lost_steps.worker_id
        and q.claimed_at < v_lost_before
        and q.fence <> all (array_remove(v_named_fences, null))
      )
    );
  if v_results is not null then
    -- Locks all runs before the loop, because the loop goes worker by worker.
    perform app.lock_runs_of(v_results);
    for v_one in
      select r.result ->> 'worker_id' as worker_id, jsonb_agg(r.result) as results
      from jsonb_array_elements(v_results) as r (result)
      group by r.result ->> 'worker_id'
    loop
      begin
        perform app.apply_results(v_one.results);
      exception
        when transaction_rollback or lock_not_available then
          get stacked diagnostics v_error = message_text;
          raise log 'Steps of worker % could not be requeued: %', v_one.worker_id, v_error;
          -- The worker stays listed, so the next heartbeat tries again.
          v_worker_ids := array_remove(v_worker_ids, v_one.worker_id::uuid);
      end;
    end loop;
    perform app.enqueue_pump();
  end if;

  if v_worker_ids <> '{}' then
    delete from app.workers as w
    where w.id = any (v_worker_ids);
  end if;
end
$$;

comment on function app.return_lost_steps(uuid, jsonb) is
$$Requeues lost steps, and counts a failure for each: steps of workers that were silent for longer
than app.settings.job_lease, and steps that this worker claimed longer ago but does not list.

running: [{ fence }], the steps that the worker holds.$$;
