-- worker.exchange_steps
--
-- Called by   the worker's pump
-- Writes      workers, and what app.apply_results and app.claim_steps write
-- Errors      PT422 results_invalid
-- Idempotent  a result that was taken is refused the second time (step_lost) and changes nothing
-- Locks       the worker, by a shared advisory lock, so that it is not swept meanwhile; what results lock; what a claim locks
create or replace function worker.exchange_steps(
  worker_id uuid,
  results jsonb,
  want integer,
  types text[] default null
)
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
  v_refused jsonb := '[]'::jsonb;
  v_steps jsonb := '[]'::jsonb;
begin
  if jsonb_typeof(exchange_steps.results) is distinct from 'array' or exchange_steps.worker_id is null then
    perform app.fail(422, 'results_invalid', 'A worker sends its id and a list of results.');
  end if;

  perform pg_advisory_xact_lock_shared(hashtextextended('worker ' || exchange_steps.worker_id, 0));
  if not exists (select from app.workers as w where w.id = exchange_steps.worker_id) then
    insert into app.workers (id, heartbeat_at, started_at)
    values (exchange_steps.worker_id, app.now(), app.now())
    on conflict do nothing;
  end if;

  if exchange_steps.results <> '[]' then
    v_refused := app.apply_results(exchange_steps.results);
  end if;
  if exchange_steps.want > 0 then
    v_steps := app.claim_steps(exchange_steps.worker_id, exchange_steps.want, exchange_steps.types);
  end if;

  return jsonb_build_object(
    'refused', v_refused,
    'steps', v_steps,
    'wake_in_ms', case when v_steps = '[]' and exchange_steps.want > 0 then app.find_wake_in_ms(exchange_steps.types) end
  );
end
$$;

comment on function worker.exchange_steps(uuid, jsonb, integer, text[]) is
$$Hands in results and takes up to want ready steps, in one transaction.

results: [{ id, fence, outcome, … }], in any number. outcome completed: output, children (steps as submit_run has them).
failed: error { slug, message }, is_permanent, retry_in_ms (a provider's delay, which holds the whole lane). rescheduled: state,
retry_in_ms, progress. returned: nothing is counted. Each is judged by itself; a completed one whose output is too large or whose children
are malformed fails for good. types: those that the worker has handlers for; null: all.
Returns { refused: [{ index, id, reason: step_lost | result_invalid }], steps: [{ id, fence, run_id, owner_id, key, type, input,
state, failures, timeout_ms, max_output_bytes, outputs: [[path, value]] | null }], wake_in_ms: where there are none now, when there are; null: none are queued }.$$;

grant execute on function worker.exchange_steps(uuid, jsonb, integer, text[]) to worker;
