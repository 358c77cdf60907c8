-- app.record_ticks
--
-- Called by   the job engine, as on_rescheduled of run_task
-- Writes      tasks, task_states; as app.admit_tasks
-- Errors      P0001, if app.find_tick_fault finds a fault. The engine then fails the step
-- Locks       rows of task_owners, for tasks that ask a question, because their slots become free;
--             then tasks. The engine holds the runs, so no other transaction changes the tasks
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
  v_read record;
  v_run_id bigint;
begin
  -- jsonb_to_record reads each state once, because a state may have 1 MiB.
  select
    min(r.fault) as fault,
    array_agg(r.run_id) filter (where r.is_next) as next_ids,
    array_agg(r.run_id) filter (
      where not r.is_next and r.question is not null and not r.is_answered
    ) as asked_ids,
    array_agg(r.run_id) filter (
      where not r.is_next and r.question is not null and r.is_answered
    ) as answered_ids,
    array_agg(distinct r.user_id) filter (
      where r.question is not null and (r.is_next or not r.is_answered)
    ) as asking_ids
  into v_read
  from (
    select
      i.id as run_id,
      t.user_id,
      p.question,
      coalesce(p.tick = coalesce(t.tick, 0) + 1, false) as is_next,
      s.answer is not null as is_answered,
      case
        when t.id is null then format('Run %s has no task.', i.id)
        -- A step that waits before its first tick saves nothing.
        when q.state is null then null
        else app.find_tick_fault(
          t.status, coalesce(t.tick, 0), t.max_ticks, s.question, p.tick, p.result, p.question,
          p.usage
        )
      end as fault
    from unnest(record_ticks.job_ids) as i (id)
    -- Index lookups even on empty tables: ADR 16.
    join app.job_queue as q on q.job_id = any (array[i.id])
    cross join lateral jsonb_to_record(coalesce(q.state, '{}')) as p (
      tick integer, result jsonb, question jsonb, usage jsonb
    )
    left join public.tasks as t on t.run_id = any (array[i.id])
    left join app.task_states as s on s.task_id = any (array[t.id])
  ) as r;
  if v_read.fault is not null then
    raise exception using message = v_read.fault;
  end if;

  if v_read.asking_ids is not null then
    perform app.lock_task_owners(v_read.asking_ids);
  end if;
  update public.tasks as t
  set
    tick = p.tick,
    status = case when p.question is null then 'in_progress' else 'input_required' end,
    result = case
      when p.is_next then p.result - 'question'
      else coalesce(t.result, '{}')
    end || case
      when p.question is null then '{}'::jsonb
      else jsonb_build_object(
        'question', jsonb_strip_nulls(p.question) || jsonb_build_object('tick', p.tick)
      )
    end,
    usage = coalesce(p.usage, t.usage)
  from (
    select i.id as run_id, i.is_next, p.tick, p.result, p.question, p.usage
    from (
      select unnest(v_read.next_ids), true
      union all
      select unnest(v_read.asked_ids), false
    ) as i (id, is_next)
    join app.job_queue as q on q.job_id = any (array[i.id])
    cross join lateral jsonb_to_record(q.state) as p (
      tick integer, result jsonb, question jsonb, usage jsonb
    )
  ) as p
  where t.run_id = any (array[p.run_id]);

  update app.task_states as s
  set
    state = case when p.is_next then p.state else s.state end,
    question = p.question,
    answer = null,
    deadline = case when p.question is not null then p.run_at end,
    is_closed = false
  from (
    select i.id as run_id, i.is_next, t.id, t.result -> 'question' as question, q.run_at, q.state
    from (
      select unnest(v_read.next_ids), true
      union all
      select unnest(v_read.asked_ids), false
    ) as i (id, is_next)
    join public.tasks as t on t.run_id = any (array[i.id])
    join app.job_queue as q on q.job_id = any (array[i.id])
  ) as p
  where s.task_id = any (array[p.id]);

  if v_read.asking_ids is not null then
    perform app.admit_tasks(v_read.asking_ids);
  end if;
  -- These questions were answered while their steps ran, so the steps must not wait.
  foreach v_run_id in array coalesce(v_read.answered_ids, '{}') loop
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
