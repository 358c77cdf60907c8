-- app.export_tasks
create or replace function app.export_tasks(user_id uuid)
  returns setof json
  language sql
  stable
  set search_path = ''
as $$
  select json_build_object(
    'id', t.id,
    'correlation_id', t.correlation_id,
    'mandate', t.mandate,
    'status', t.status,
    'max_ticks', t.max_ticks,
    'tick', t.tick,
    'result', t.result,
    'error', t.error,
    'usage', t.usage,
    'run_id', t.run_id,
    -- The state of an open run is in the queue.
    'state', coalesce(q.state, s.state),
    'question', s.question,
    'answer', s.answer,
    'deadline', s.deadline,
    'created_at', t.created_at,
    'updated_at', t.updated_at,
    'ended_at', s.ended_at
  )
  from (
    select o.*
    from public.tasks as o
    where o.user_id = export_tasks.user_id
    order by o.created_at, o.id
  ) as t
  left join lateral (
    select s.*
    from app.task_states as s
    where s.task_id = t.id
  ) as s on true
  left join app.job_queue as q on q.job_id = t.run_id
$$;

comment on function app.export_tasks(uuid) is
  'Returns the tasks of a user with their question and answer, for app.export_user_data.';
