-- app.begin_turn
--
-- Writes      tasks.status, task_states.is_closed
-- Errors      PT409 step_lost; 55P03, if another transaction holds the task. The worker then
--             repeats the call
-- Locks       the task, only if the call changes the status or closes the question. The function
--             then reads everything again, because another transaction may have changed the task
--             or the step while this one waited for the lock
-- Why         a client chooses how long its request holds a task. The call waits only for a moment,
--             because a waiting call occupies a connection that other users need
create or replace function app.begin_turn(step_id bigint, fence bigint, starts boolean)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
  set lock_timeout = '20ms'
as $$
declare
  v_task record;
  v_asked record;
  v_settings record;
  v_is_locked boolean := false;
  v_must_start boolean;
  v_must_close boolean;
begin
  loop
    if v_must_start or v_must_close then
      perform
      from public.tasks as t
      where t.run_id = begin_turn.step_id
      for no key update;
      v_is_locked := true;
    end if;
    select t.id, t.mandate, t.max_ticks, t.tick, t.status into v_task
    from app.job_queue as q
    -- Index lookup even on an empty table: ADR 16.
    join public.tasks as t on t.run_id = any (array[q.job_id])
    where q.job_id = begin_turn.step_id
      and q.fence = begin_turn.fence
      and q.worker_id is not null;
    if not found then
      perform app.fail(
        409,
        'step_lost',
        'The worker no longer holds this step.',
        'Abort the handler of the step, because its result would be refused.'
      );
    end if;
    select s.question, s.answer, s.deadline, s.is_closed into v_asked
    from app.task_states as s
    where s.task_id = v_task.id;
    v_must_start := begin_turn.starts and v_task.status = 'accepted';
    v_must_close := v_asked.answer is null
      and not v_asked.is_closed
      and coalesce(v_asked.deadline <= app.clock(), false);
    exit when v_is_locked or not (v_must_start or v_must_close);
  end loop;

  if v_must_start then
    update public.tasks as t
    set status = 'started'
    where t.id = v_task.id;
  end if;
  if v_must_close then
    update app.task_states as s
    set is_closed = true
    where s.task_id = v_task.id;
    v_asked.is_closed := true;
  end if;
  select s.task_answer_deadline, s.buying_is_stopped into v_settings
  from app.settings as s;

  return jsonb_build_object(
    'task_id', v_task.id,
    'mandate', v_task.mandate,
    'max_ticks', v_task.max_ticks,
    'tick', coalesce(v_task.tick, 0),
    'state', case when begin_turn.starts then app.find_task_state(v_task.id) end,
    'question', v_asked.question,
    'answer', case
      when v_asked.answer is not null then jsonb_build_object('value', v_asked.answer)
    end,
    'is_closed', v_asked.is_closed,
    'answer_within_ms',
    (extract(epoch from v_settings.task_answer_deadline) * 1000)::bigint,
    'buying_is_stopped', v_settings.buying_is_stopped
  );
end
$$;

comment on function app.begin_turn(bigint, bigint, boolean) is
$$Begins a turn of a claimed step, for worker.start_task and worker.read_task: returns the task, and
closes its question if the deadline has passed.

starts: whether an accepted task becomes started, and whether the state is returned.
409 step_lost. 55P03: another transaction holds the task, so the worker repeats the call.$$;
