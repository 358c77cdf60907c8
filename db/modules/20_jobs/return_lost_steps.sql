-- app.return_lost_steps
--
-- Writes      workers; the rows that app.apply_free_results writes
-- Locks       silent workers, with skip locked, so that only one of many sweeps at the same moment
--             requeues the steps of a worker (a silent worker that connects again waits for this
--             sweep, and finds its fences stale); then the runs of lost steps, with skip locked;
--             then the rows that app.apply_free_results locks
-- Why         the steps of each worker and each type of run are requeued in a subtransaction,
--             because only the type of a run says which callback is called: a callback that runs
--             into a deadlock or a lock timeout does not stop the sweep of other products and
--             workers. The next sweep tries again.
--             A sweep counts only silence since the calling worker has sent heartbeats without a
--             gap, because a worker that was cut off could not hear the others either
create or replace function app.return_lost_steps(worker_id uuid, running jsonb)
  returns integer
  language plpgsql
  volatile
  set search_path = ''
  set lock_timeout = '1s'
as $$
declare
  v_lease interval := (select s.job_lease from app.settings as s);
  v_lost_before timestamptz := app.now() - v_lease;
  v_named_fences bigint[] := array(
    select app.parse_bigint(h.step -> 'fence')
    from jsonb_array_elements(return_lost_steps.running) as h (step)
  );
  v_worker_ids uuid[];
  v_results jsonb;
  v_run_ids bigint[];
  v_stop_at timestamptz := app.clock() + interval '5 seconds';
  v_one record;
  v_refused jsonb;
  v_error text;
  v_requeued integer := 0;
begin
  -- The calling worker has sent heartbeats for a whole lease, and sends them now.
  if not exists (
    select
    from app.workers as w
    where w.id = return_lost_steps.worker_id
      and w.beating_since < v_lost_before
      and w.heartbeat_at >= app.now() - v_lease / 2
  ) then
    return 0;
  end if;

  v_worker_ids := array(
    select w.id
    from app.workers as w
    where w.heartbeat_at < v_lost_before
      -- If the clock of the database was set back, living workers have sent heartbeats since then.
      or w.heartbeat_at > app.now() + v_lease
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
        'run_id', q.run_id,
        'id', q.job_id,
        'fence', q.fence,
        -- Steps that the calling worker never received, and steps that the silent worker had
        -- claimed but not begun, count no loss.
        'outcome', case
          when w.id is null or q.fence = any (w.waiting_fences) then 'returned'
          else 'lost'
        end
      )
    ),
    array_agg(q.run_id)
  into v_results, v_run_ids
  from app.job_queue as q
  left join app.workers as w
    -- Index lookup even on an empty table: ADR 16.
    on w.id = any (array[q.worker_id]) and w.id = any (v_worker_ids)
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
    v_run_ids := array(
      select r.id
      from app.runs as r
      where r.id = any (v_run_ids)
      for update skip locked
    );
    for v_one in
      select r.result ->> 'worker_id' as worker_id, j.type, jsonb_agg(r.result) as results
      from jsonb_array_elements(v_results) as r (result)
      -- Index lookup even on an empty table: ADR 16.
      join public.jobs as j on j.id = any (array[(r.result -> 'run_id')::bigint])
      where j.id = any (v_run_ids)
      group by r.result ->> 'worker_id', j.type
      -- In random order, so that slow steps do not delay the others in every sweep.
      order by random()
    loop
      begin
        v_refused := app.apply_free_results(v_one.results, 50);
        v_requeued := v_requeued + jsonb_array_length(v_one.results) - (
          select count(*)::integer
          from jsonb_array_elements(v_refused) as f (refusal)
          where f.refusal ->> 'reason' = 'run_busy'
        );
      exception
        when transaction_rollback or lock_not_available then
          get stacked diagnostics v_error = message_text;
          raise log 'Steps of worker % in runs of type % could not be requeued: %',
            v_one.worker_id, v_one.type, v_error;
      end;
      exit when app.clock() > v_stop_at;
    end loop;
    perform app.enqueue_pump();
  end if;

  if v_worker_ids <> '{}' then
    delete from app.workers as w
    where w.id = any (v_worker_ids)
      and not exists (select from app.job_queue as q where q.worker_id = w.id);
  end if;

  return v_requeued;
end
$$;

comment on function app.return_lost_steps(uuid, jsonb) is
$$Requeues lost steps: steps of workers that were silent for longer than app.settings.job_lease, and
steps that this worker claimed longer ago but does not list. A step that may have begun counts a
loss. A step that the silent worker reported as waiting, or that this worker never received, counts
nothing.

running: [{ fence }], the steps that the calling worker has. Returns how many steps it requeued or
failed.$$;
