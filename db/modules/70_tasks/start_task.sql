-- worker.start_task
--
-- Called by   the worker, as the first act of the handler of run_task
-- Writes      tasks.status, task_states.is_closed
-- Errors      PT409 step_lost; 55P03, as app.begin_turn
-- Idempotent  a repeated call returns the same task
create or replace function worker.start_task(step_id bigint, fence bigint)
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
  return app.begin_turn(start_task.step_id, start_task.fence, true);
end
$$;

comment on function worker.start_task(bigint, bigint) is
$$Starts the task of a claimed step: an accepted task becomes started, any other status stays.

Returns { task_id, mandate, max_ticks, tick (0 before the first), state (of the last finished tick,
or null), question (null or { tick, text, schema }), answer (null or { value }), is_closed (the
deadline of the question has passed), answer_within_ms, buying_is_stopped }. 409 step_lost: the
worker does not hold the step, or the task is deleted. Only for workers.$$;

grant execute on function worker.start_task(bigint, bigint) to worker;
