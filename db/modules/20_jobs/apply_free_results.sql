-- app.apply_free_results
--
-- Writes      the rows that app.apply_locked_results writes
-- Locks       runs, lowest id first; then the rows that app.apply_locked_results locks. Waits up to
--             wait_ms for one of these rows. Then app.apply_results_separately finds the results
--             whose rows are locked
-- Why         a client chooses how long its transaction holds a run. A batch has results of many
--             users, so a batch that waits for one run delays all of them: ADR 13. A callback that
--             raises undoes the batch but not its caller, because the batch is a subtransaction
create or replace function app.apply_free_results(results jsonb, wait_ms integer)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_lock_timeout text := current_setting('lock_timeout');
  v_refused jsonb;
begin
  if apply_free_results.wait_ms is not null then
    perform set_config(
      'lock_timeout', least(greatest(apply_free_results.wait_ms, 1), 10000)::text, true
    );
  end if;
  begin
    v_refused := app.apply_locked_results(
      apply_free_results.results, app.lock_runs_of(apply_free_results.results)
    );
  exception
    when sqlstate 'JC001' or lock_not_available then
      -- Each locked row may cost this wait, so the wait is short.
      perform set_config('lock_timeout', '10', true);
      v_refused := app.apply_results_separately(apply_free_results.results);
  end;
  perform set_config('lock_timeout', v_lock_timeout, true);

  return v_refused;
end
$$;

comment on function app.apply_free_results(jsonb, integer) is
$$Applies the results of running steps, and queues or completes the steps that waited for them.

results: as worker.exchange_work describes them. wait_ms: how long to wait for locked rows; null: as
long as lock_timeout says. Returns the refused results: [{ index, id, reason }]. Reason run_busy:
another transaction has locked rows of the result, so the result changes nothing and is handed in
again. A step whose callback raises fails with callback_failed.$$;
