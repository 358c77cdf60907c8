-- app.sort_ticks
--
-- Why         jsonb_to_record reads each state once, because a state may have 1 MiB
create or replace function app.sort_ticks(
  job_ids bigint[],
  out fault text,
  out next_ids bigint[],
  out asked_ids bigint[],
  out answered_ids bigint[],
  out asking_ids uuid[],
  out has_questions boolean
)
  returns record
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  select
    min(r.fault),
    array_agg(r.run_id) filter (where r.is_next),
    array_agg(r.run_id) filter (where not r.is_next and r.asks and not r.is_answered),
    array_agg(r.run_id) filter (where not r.is_next and r.asks and r.is_answered),
    array_agg(distinct r.user_id) filter (where r.asks and (r.is_next or not r.is_answered)),
    bool_or(r.asks or r.has_asked)
  into
    sort_ticks.fault, sort_ticks.next_ids, sort_ticks.asked_ids, sort_ticks.answered_ids,
    sort_ticks.asking_ids, sort_ticks.has_questions
  from (
    select
      i.id as run_id,
      t.user_id,
      p.question is not null as asks,
      s.question is not null as has_asked,
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
    from unnest(sort_ticks.job_ids) as i (id)
    -- Index lookups even on empty tables: ADR 16.
    join app.job_queue as q on q.job_id = any (array[i.id])
    cross join lateral jsonb_to_record(coalesce(q.state, '{}')) as p (
      tick integer, result jsonb, question jsonb, usage jsonb
    )
    left join public.tasks as t on t.run_id = any (array[i.id])
    left join app.task_states as s on s.task_id = any (array[t.id])
  ) as r;
end
$$;

comment on function app.sort_ticks(bigint[]) is
$$Sorts the turns that the steps of tasks have handed in, for app.record_ticks.

Returns fault: what is wrong with a state, or null. next_ids: runs with a new tick. asked_ids: runs
that ask their question again. answered_ids: runs that ask a question which is answered already.
asking_ids: the users whose tasks wait from now on. has_questions: whether a task asks, or has asked
until now.$$;
