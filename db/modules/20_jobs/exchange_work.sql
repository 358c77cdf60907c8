-- worker.exchange_work
--
-- Called by   the worker's pump
-- Writes      workers; the rows that app.apply_free_results and app.claim_steps write
-- Errors      PT422 results_invalid
-- Idempotent  a result that was applied before is refused (step_lost) and changes nothing
-- Locks       the worker, by a shared advisory lock, so that no sweep requeues its steps during
--             the call; then the rows that results lock, for wait_ms at most; then the rows that a
--             claim locks
create or replace function worker.exchange_work(
  worker_id uuid,
  results jsonb,
  want integer,
  types text[],
  wait_ms integer
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
  v_refused jsonb := '[]'::jsonb;
  v_steps jsonb := '[]'::jsonb;
begin
  if jsonb_typeof(exchange_work.results) is distinct from 'array'
    or exchange_work.worker_id is null
  then
    perform app.fail(
      422,
      'results_invalid',
      'worker_id is missing, or results is not a JSON array.',
      'Send the id of the worker and an array of results.'
    );
  end if;

  perform pg_advisory_xact_lock_shared(hashtextextended('worker ' || exchange_work.worker_id, 0));
  if not exists (select from app.workers as w where w.id = exchange_work.worker_id) then
    -- A new worker has sent no heartbeats yet, so it requeues no steps of others for a lease.
    insert into app.workers (id, heartbeat_at, beating_since, started_at)
    values (exchange_work.worker_id, app.now(), app.now(), app.now())
    on conflict do nothing;
  end if;

  if exchange_work.results <> '[]' then
    v_refused := case
      when exchange_work.wait_ms is null then app.apply_results(exchange_work.results)
      else app.apply_free_results(exchange_work.results, exchange_work.wait_ms)
    end;
  end if;
  if exchange_work.want > 0 then
    v_steps := app.claim_steps(exchange_work.worker_id, exchange_work.want, exchange_work.types);
  end if;

  return jsonb_build_object(
    'refused', v_refused,
    'steps', v_steps,
    'wake_in_ms', case
      when v_steps = '[]' and exchange_work.want > 0
        then app.find_wake_in_ms(exchange_work.types)
    end
  );
end
$$;

comment on function worker.exchange_work(uuid, jsonb, integer, text[], integer) is
$$Applies results and claims up to want ready steps, in one transaction.

results: any number of [{ id, fence, outcome, … }]. Each result is judged by itself. Values of
outcome:
- completed: output, and children (steps as submit_run describes them). An output that is too large
  and malformed children fail the step permanently.
- failed: error { slug, message }, is_permanent, retry_in_ms (a delay that a provider named: no step
  of the lane starts during the delay, but for app.settings.lane_hold_max at most), retry_grows
  (true: the delay doubles with each delay of the step, up to 5 minutes), day_ends_in_ms (the quota
  of the provider's day is used up, and the day ends in so many milliseconds, 25 hours at most),
  crashed (true: the next attempt runs alone in its process), state (null: the operation that the
  state describes has ended; without this key the step keeps its state).
- rescheduled: state (null: none), retry_in_ms (366 days at most), progress. A step fails after
  job_types.max_turns turns.
- returned: the step is queued again, and counts neither a failure nor a loss. retry_in_ms; begun
  (true: the handler was called).
- lost: the process of the step ended or stalled while the step may have been running; error
  { slug, message } says why. The step counts a loss instead of a failure, and its next attempt runs
  alone in its process. After job_types.max_losses losses the step fails.
types: the types that the worker has handlers for; null: every type.
wait_ms: how long the results may wait for rows that other transactions have locked, up to 10000.
Without wait_ms, they wait without a limit. A result that would wait longer is refused with reason
run_busy and changes nothing: the worker still holds the step, and hands the result in again.
Returns { refused: [{ index, id, reason: step_lost | result_invalid | run_busy }], steps: [{ id,
fence, run_id, owner_id, key, type, input, state, failures, losses, runs_alone, now_ms, fault,
timeout_ms, max_output_bytes, buying_is_stopped, outputs: [[path, value]] | null }], wake_in_ms }.
A step is claimed only if its version is at most the version that the worker announced by
worker.send_heartbeat. runs_alone: start nothing else while this step runs. now_ms: when the step
was claimed, by the clock of the database, in milliseconds since 1970. fault: null, or { slug,
message }: fail the step with it and call no handler. buying_is_stopped: the step must begin no new
purchase in this turn. outputs null: read the outputs with worker.read_outputs. wake_in_ms: if no
step is ready, the milliseconds until the next step is due; null if no step is queued.
422 results_invalid. Only for workers.$$;

grant execute on function worker.exchange_work(uuid, jsonb, integer, text[], integer) to worker;
