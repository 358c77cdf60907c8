-- app.apply_results
--
-- Writes      what app.apply_locked_results writes
-- Locks       runs, lowest id first; then what app.apply_locked_results locks
-- Why         a callback that raises undoes the batch, in a subtransaction, and not its caller: results without a callback are
--             applied again together, the others each alone
create or replace function app.apply_results(results jsonb)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_failing_ids bigint[] := app.lock_runs_of(apply_results.results);
begin
  return app.apply_locked_results(apply_results.results, v_failing_ids);
exception
  when sqlstate 'JC001' then
    return app.apply_results_separately(apply_results.results);
end
$$;

comment on function app.apply_results(jsonb) is
$$Applies the results of running steps, as worker.exchange_steps describes them, and moves on what waited for the steps.

Returns the refused results: [{ index, id, reason }]. A step whose callback raises fails with callback_failed.$$;
