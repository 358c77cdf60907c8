-- worker.exchange_steps
--
-- Called by   worker processes of the last release
-- Writes      the rows that worker.exchange_work writes
-- Errors      PT422 results_invalid; 55P03, if a result must be handed in again. The worker then
--             repeats the call
-- Idempotent  a result that was applied before is refused (step_lost) and changes nothing
-- Locks       the rows that worker.exchange_work locks, and waits for them without a limit
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
as $$
begin
  return worker.exchange_work(
    exchange_steps.worker_id, exchange_steps.results, exchange_steps.want, exchange_steps.types,
    null
  );
end
$$;

comment on function worker.exchange_steps(uuid, jsonb, integer, text[]) is
$$Applies results and claims up to want ready steps, in one transaction. Replaced by
worker.exchange_work; only workers of the last release call it.

Parameters and answer: as worker.exchange_work describes them, without wait_ms and run_busy.
422 results_invalid. Only for workers.$$;

grant execute on function worker.exchange_steps(uuid, jsonb, integer, text[]) to worker;
