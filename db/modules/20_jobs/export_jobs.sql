-- app.export_jobs
--
-- Why         in the order of the index, so that Postgres reads one job after the other
create or replace function app.export_jobs(user_id uuid)
  returns setof json
  language sql
  stable
  set search_path = ''
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
  set enable_sort = off
as $$
  select json_build_object(
    'id', j.id,
    'root_id', j.root_id,
    'parent_id', j.parent_id,
    'key', j.key,
    'type', j.type,
    'status', coalesce(q.status, j.status),
    'progress', j.progress,
    'idempotency_key', r.idempotency_key,
    'input', j.input,
    'output', j.output,
    'error_slug', j.error_slug,
    'error_message', j.error_message,
    'created_at', j.created_at,
    'started_at', j.started_at,
    'finished_at', j.finished_at
  )
  from public.jobs as j
  left join app.job_queue as q on q.job_id = j.id
  left join app.runs as r on r.id = j.id
  where j.owner_id = export_jobs.user_id
  order by j.id
$$;

comment on function app.export_jobs(uuid) is
  'Returns the jobs of a user, which are runs and their steps, for app.export_user_data.';
