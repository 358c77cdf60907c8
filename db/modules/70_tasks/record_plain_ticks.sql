-- app.record_plain_ticks
--
-- Writes      tasks
-- Locks       tasks; the engine holds the runs
-- Why         nearly every tick is plain: one statement reads the state, checks it and stores it.
--             If a step of the batch asks a question, the function stores nothing, because
--             app.record_ticks locks rows of task_owners before it changes tasks
create or replace function app.record_plain_ticks(job_ids bigint[])
  returns bigint[]
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_left_ids bigint[];
begin
  with stored as (
    update public.tasks as t
    set
      tick = p.tick,
      status = 'in_progress',
      result = p.result - 'question',
      usage = coalesce(p.usage, t.usage)
    from (
      select
        i.id as run_id,
        r.tick,
        r.result,
        r.usage,
        bool_or(r.question is not null) over () as has_questions
      from unnest(record_plain_ticks.job_ids) as i (id)
      -- Index lookups even on empty tables: ADR 16.
      join app.job_queue as q on q.job_id = any (array[i.id])
      cross join lateral jsonb_to_record(q.state) as r (
        tick integer, result jsonb, question jsonb, usage jsonb
      )
    ) as p
    where t.run_id = any (array[p.run_id])
      and not p.has_questions
      -- Not an equation, which would be a reason to join by hash: ADR 16.
      and p.tick > coalesce(t.tick, 0)
      and app.find_tick_fault(
        t.status, coalesce(t.tick, 0), t.max_ticks, null, p.tick, p.result, null, p.usage
      ) is null
      and not exists (
        select
        from app.task_states as s
        where s.task_id = any (array[t.id]) and s.question is not null
      )
    returning t.run_id
  )
  select array_agg(i.id) into v_left_ids
  from unnest(record_plain_ticks.job_ids) as i (id)
  where i.id not in (select s.run_id from stored as s);

  return v_left_ids;
end
$$;

comment on function app.record_plain_ticks(bigint[]) is
$$Stores the ticks that follow the last tick of their task, and neither ask nor end a question.

Returns the other steps, or null, for app.record_ticks.$$;
