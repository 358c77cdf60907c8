-- app.apply_results
--
-- Writes      the rows that app.apply_locked_results writes
-- Locks       runs, lowest id first; then the rows that app.apply_locked_results locks
-- Why         a callback that raises undoes the batch but not its caller, because the batch is a
--             subtransaction; app.apply_results_separately then finds the step whose callback
--             raises
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
$$Applies the results of running steps, and queues or completes the steps that waited for them.

results: as worker.exchange_steps describes them. Returns the refused results:
[{ index, id, reason }]. A step whose callback raises fails with callback_failed.$$;
