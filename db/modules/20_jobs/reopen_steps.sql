-- app.reopen_steps
--
-- Writes      jobs, job_queue
-- Locks       none; the caller holds the run
-- Why         rebuilds the queue rows from public.jobs, and counts waits and children instead of
--             storing them
create or replace function app.reopen_steps(run_id bigint)
  returns boolean
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_now timestamptz := app.now();
  v_owner_id uuid := (
    select r.owner_id from app.runs as r where r.id = reopen_steps.run_id
  );
  v_ids bigint[];
begin
  -- Steps that did not complete, and all steps above them, whose own work stays done.
  with recursive reopened as (
    select j.id, j.parent_id
    from public.jobs as j
    where j.root_id = reopen_steps.run_id and j.status in ('failed', 'skipped', 'cancelled')
    union
    select p.id, p.parent_id
    from reopened as r
    join public.jobs as p on p.id = r.parent_id
  )
  select array_agg(r.id) into v_ids
  from reopened as r;
  if v_ids is null then
    return false;
  end if;

  update public.jobs as j
  set
    status = case when j.worked_at is null then 'blocked' else 'joining' end,
    progress = 0,
    started_at = case when j.worked_at is not null then j.started_at end,
    finished_at = null,
    output_bytes = coalesce(octet_length(j.output::text), 0),
    error_slug = null,
    error_message = null
  where j.id = any (v_ids);

  insert into app.job_queue (
    job_id, run_id, parent_id, lane_id, run_at, waits, open_children, priority, version, status,
    dependents
  )
  select
    j.id,
    j.root_id,
    j.parent_id,
    l.id,
    v_now,
    case
      when j.worked_at is not null then 0
      else coalesce(w.waits, 0)
        + case when p.id is null or p.worked_at is not null then 0 else 1 end
    end,
    coalesce(c.children, 0),
    j.priority,
    j.version,
    j.status,
    d.dependents
  from public.jobs as j
  left join public.jobs as p on p.id = j.parent_id
  join public.job_types as t on t.name = j.type
  left join app.lanes as l
    on t.has_handler and l.type = j.type and l.owner_id is not distinct from v_owner_id
  left join (
    select o.parent_id, count(*)::integer as children
    from public.jobs as o
    where o.root_id = reopen_steps.run_id and o.finished_at is null
    group by o.parent_id
  ) as c on c.parent_id = j.id
  -- Dependencies that are not settled: how many each step waits for, and which steps wait for it.
  left join (
    select o.id, count(*)::integer as waits
    from public.jobs as o
    cross join lateral unnest(o.depends_on) as u (id)
    join public.jobs as e on e.id = u.id and e.finished_at is null
    where o.root_id = reopen_steps.run_id
      and o.finished_at is null
      and o.worked_at is null
    group by o.id
  ) as w on w.id = j.id
  left join (
    select u.id, array_agg(o.id) as dependents
    from public.jobs as o
    cross join lateral unnest(o.depends_on) as u (id)
    where o.root_id = reopen_steps.run_id
      and o.finished_at is null
      and o.worked_at is null
    group by u.id
  ) as d on d.id = j.id
  where j.root_id = reopen_steps.run_id and j.finished_at is null;
  perform app.record_events(v_ids, 'retried');

  return true;
end
$$;

comment on function app.reopen_steps(bigint) is
  'Reopens the steps of a finished run that did not complete. False if every step is completed.';
