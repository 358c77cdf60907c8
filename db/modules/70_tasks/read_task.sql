-- worker.read_task
--
-- Called by   the worker, for a step that waits for an answer
-- Writes      task_states.is_closed
-- Errors      PT409 step_lost; 55P03, as app.begin_turn
create or replace function worker.read_task(step_id bigint, fence bigint)
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
begin
  return app.begin_turn(read_task.step_id, read_task.fence, false);
end
$$;

comment on function worker.read_task(bigint, bigint) is
$$Returns what worker.start_task returns, without the state. The status of the task stays.

If the deadline of the question has passed, the call closes the question, so later answers are
refused.
409 step_lost. Only for workers.$$;

grant execute on function worker.read_task(bigint, bigint) to worker;
