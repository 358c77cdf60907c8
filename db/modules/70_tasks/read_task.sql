-- worker.read_task
--
-- Called by   the worker, for a step that waits for an answer
-- Writes      task_states.is_closed
-- Errors      PT409 step_lost
create or replace function worker.read_task(step_id bigint, fence bigint)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 8.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
  set enable_hashjoin = off
  set enable_mergejoin = off
as $$
begin
  return app.describe_claimed_task(read_task.step_id, read_task.fence, false);
end
$$;

comment on function worker.read_task(bigint, bigint) is
$$Returns the task of a claimed step as worker.start_task does, without its state, and starts
nothing.

After the deadline of a question, the call closes the question: no answer comes later.
409 step_lost. Only for workers.$$;

grant execute on function worker.read_task(bigint, bigint) to worker;
