-- app.close_task_states
--
-- Writes      task_states
-- Locks       none; the caller holds the runs and the tasks
-- Why         the next run of a task needs the state of this run, and the engine deletes the states
--             of a run with the run. If the run is deleted while it is open, its state is still in
--             the queue
create or replace function app.close_task_states(task_ids uuid[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  update app.task_states as s
  set
    state = case when p.status <> 'completed' then coalesce(p.state, s.state) end,
    question = case when p.status <> 'completed' then s.question end,
    answer = case when p.status <> 'completed' then s.answer end,
    deadline = null,
    is_closed = false,
    ended_at = app.now()
  from (
    select t.id, t.status, coalesce(e.state, q.state) as state
    from unnest(close_task_states.task_ids) as i (id)
    -- Index lookups even on empty tables: ADR 16.
    join public.tasks as t on t.id = any (array[i.id])
    left join app.step_states as e on e.job_id = any (array[t.run_id])
    left join app.job_queue as q on q.job_id = any (array[t.run_id])
  ) as p
  where s.task_id = any (array[p.id]) and s.ended_at is null;
end
$$;

comment on function app.close_task_states(uuid[]) is
$$Stores that these tasks have ended, and copies the states of their runs for a retry. A run that
saved no state leaves the state of the run before. A completed task keeps no state.$$;
