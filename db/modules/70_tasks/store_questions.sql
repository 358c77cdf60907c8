-- app.store_questions
--
-- Writes      task_states
-- Locks       none; the caller holds the tasks
create or replace function app.store_questions(run_ids bigint[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  update app.task_states as s
  set
    question = p.question,
    answer = null,
    deadline = case when p.question is not null then p.run_at end,
    is_closed = false
  from (
    select t.id, t.result -> 'question' as question, q.run_at
    from unnest(store_questions.run_ids) as i (id)
    -- Index lookups even on empty tables: ADR 16.
    join public.tasks as t on t.run_id = any (array[i.id])
    join app.job_queue as q on q.job_id = any (array[i.id])
  ) as p
  where s.task_id = any (array[p.id]) and (p.question is not null or s.question is not null);
end
$$;

comment on function app.store_questions(bigint[]) is
$$Stores the question that each of these tasks asks, until its step is due. The question of an
earlier tick, whose answer is used, is removed.$$;
