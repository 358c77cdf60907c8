-- app.rebuild_queue
--
-- Writes      job_queue, step_states; lanes that the owner does not have yet
-- Locks       new lanes, by type; the caller holds the run
-- Why         counts waits and children instead of storing them. Reads the run once, and joins its
--             steps with each other by hash joins only, because nested loops compare each of 20,000
--             steps with every other one: ADR 16
create or replace function app.rebuild_queue(run_id bigint)
  returns void
  language plpgsql
  volatile
  set search_path = ''
  set enable_nestloop = off
  set enable_hashjoin = on
as $$
declare
  v_now timestamptz := app.now();
  v_lanes record;
begin
  v_lanes := app.ensure_lanes(
    (select r.owner_id from app.runs as r where r.id = rebuild_queue.run_id),
    array(
      select t.name
      from public.job_types as t
      where t.has_handler
        and t.name in (
          select j.type
          from public.jobs as j
          where j.root_id = any (array[rebuild_queue.run_id]) and j.finished_at is null
        )
    )
  );

  insert into app.job_queue (
    job_id, run_id, parent_id, lane_id, run_at, waits, open_children, priority, version, status,
    dependents, state
  )
  with opened as materialized (
    select
      j.id, j.parent_id, j.type, j.priority, j.version, j.status, j.depends_on,
      j.worked_at is null as waits
    from public.jobs as j
    -- Index lookup even on an empty table: ADR 16.
    where j.root_id = any (array[rebuild_queue.run_id]) and j.finished_at is null
  ),
  -- Step from_id waits for step to_id, unless to_id is settled.
  edges as materialized (
    select o.id as from_id, unnest(o.depends_on) as to_id
    from opened as o
    where o.waits
  )
  select
    o.id,
    rebuild_queue.run_id,
    o.parent_id,
    l.id,
    v_now,
    case when o.waits then coalesce(w.waits, 0) + coalesce(p.waits, false)::integer else 0 end,
    coalesce(c.children, 0),
    o.priority,
    o.version,
    o.status,
    d.from_ids,
    s.state
  from opened as o
  left join (
    select t.job_id, t.state
    from app.step_states as t
    -- Index lookup even on an empty table: ADR 16.
    where t.run_id = any (array[rebuild_queue.run_id])
  ) as s on s.job_id = o.id
  left join unnest(v_lanes.types, v_lanes.ids) as l (type, id) on l.type = o.type
  -- A step that is not settled has a parent that is not settled.
  left join opened as p on p.id = o.parent_id
  left join (
    select s.parent_id, count(*)::integer as children
    from opened as s
    group by s.parent_id
  ) as c on c.parent_id = o.id
  left join (
    select e.from_id, count(*)::integer as waits
    from edges as e
    join opened as s on s.id = e.to_id
    group by e.from_id
  ) as w on w.from_id = o.id
  left join (
    select e.to_id, array_agg(e.from_id) as from_ids
    from edges as e
    group by e.to_id
  ) as d on d.to_id = o.id;
  delete from app.step_states as s
  where s.run_id = any (array[rebuild_queue.run_id]);
end
$$;

comment on function app.rebuild_queue(bigint) is
$$Inserts the queue rows of a reopened run, from its unfinished steps in public.jobs, with the
states that the steps saved.

Steps that wait for nothing are inserted as blocked with waits 0; app.start_steps starts them.$$;
