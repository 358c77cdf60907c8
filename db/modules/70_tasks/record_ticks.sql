-- app.record_ticks
--
-- Called by   the job engine, as on_rescheduled of run_task
-- Writes      tasks; as app.store_questions, app.admit_tasks
-- Errors      P0001, if app.find_tick_fault finds a fault. The engine then fails the step
-- Locks       rows of task_owners, for tasks that ask a question, because their slots become free;
--             then tasks. The engine holds the runs, so no other transaction changes the tasks
-- Why         most ticks write only the row of their task. The state stays in the queue, and
--             app.close_task_states copies it once, at the end of the run
create or replace function app.record_ticks(job_ids bigint[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_left_ids bigint[] := app.record_plain_ticks(record_ticks.job_ids);
  v_ticks record;
  v_changed_ids bigint[];
  v_run_id bigint;
begin
  if v_left_ids is null then
    return;
  end if;

  v_ticks := app.sort_ticks(v_left_ids);
  if v_ticks.fault is not null then
    raise exception using message = v_ticks.fault;
  end if;

  v_changed_ids := v_ticks.next_ids || v_ticks.asked_ids;
  if v_ticks.asking_ids is not null then
    perform app.lock_task_owners(v_ticks.asking_ids);
  end if;
  update public.tasks as t
  set
    tick = p.tick,
    status = case when p.question is null then 'in_progress' else 'input_required' end,
    result = case
      when t.tick = p.tick then coalesce(t.result, '{}')
      else p.result - 'question'
    end || case
      when p.question is null then '{}'::jsonb
      else jsonb_build_object(
        'question', jsonb_strip_nulls(p.question) || jsonb_build_object('tick', p.tick)
      )
    end,
    usage = coalesce(p.usage, t.usage)
  from unnest(v_changed_ids) as i (id)
  -- Index lookups even on empty tables: ADR 16.
  join app.job_queue as q on q.job_id = any (array[i.id])
  cross join lateral jsonb_to_record(q.state) as p (
    tick integer, result jsonb, question jsonb, usage jsonb
  )
  where t.run_id = any (array[i.id]);
  if v_ticks.has_questions then
    perform app.store_questions(v_changed_ids);
  end if;

  if v_ticks.asking_ids is not null then
    perform app.admit_tasks(v_ticks.asking_ids);
  end if;
  -- These questions were answered while their steps ran, so the steps must not wait.
  foreach v_run_id in array coalesce(v_ticks.answered_ids, '{}') loop
    perform app.wake_step(v_run_id);
  end loop;
end
$$;

comment on function app.record_ticks(bigint[]) is
$$Callback on_rescheduled: stores the ticks that tasks have finished, and the questions that they
ask.

The state of a step is { tick, result: { text }, question: null or { text, schema }, usage, … }. A
tick that is stored already changes nothing. But a task that asks its question again gets a new
deadline for the answer.$$;
