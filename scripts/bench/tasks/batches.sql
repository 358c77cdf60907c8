-- Inserts tasks, runs and steps in the form that the engine stores. Call these functions in a
-- session with session_replication_role = replica, in which no trigger fires.

-- Inserts finished tasks with their runs, steps and states, which ended 100 days ago.
create function public.bench_insert_finished(tasks integer, user_ids uuid[])
  returns void
  language sql
  volatile
begin atomic
  with new as (
    select
      nextval('public.jobs_id_seq') as run_id, gen_random_uuid() as id,
      user_ids[1 + n % cardinality(user_ids)] as user_id, now() - interval '100 days' as at
    from generate_series(1, tasks) as n
  ), runs as (
    insert into app.runs (id, owner_id, steps, created_at, finished_at)
    select n.run_id, n.user_id, 1, n.at, n.at from new as n
  ), jobs as (
    insert into public.jobs (
      id, root_id, owner_id, created_at, finished_at, worked_at, key, type, status, on_failure,
      output
    )
    select
      n.run_id, n.run_id, n.user_id, n.at, n.at, n.at, 'task', 'run_task', 'completed', 'fail_run',
      '{}'
    from new as n
  ), tasks as (
    insert into public.tasks (id, user_id, mandate, status, tick, result, created_at, run_id)
    select n.id, n.user_id, 'Plan the garden.', 'completed', 3, '{"text": "Done."}', n.at, n.run_id
    from new as n
  )
  insert into app.task_states (task_id, request_hash, ended_at)
  select n.id, ''::bytea, n.at from new as n;
end;

-- Inserts pending tasks of a user.
create function public.bench_insert_pending(tasks integer, user_id uuid)
  returns void
  language sql
  volatile
begin atomic
  with new as (
    insert into public.tasks (user_id, mandate, status)
    select bench_insert_pending.user_id, 'Plan the garden.', 'pending'
    from generate_series(1, tasks)
    returning id
  )
  insert into app.task_states (task_id, request_hash)
  select n.id, ''::bytea from new as n;
end;
