-- app.insert_steps
--
-- Writes      jobs, job_queue; lanes that the owner does not have yet
-- Errors      those of app.parse_steps and app.parse_edges
-- Locks       new lanes, by type; the caller holds the run
-- Why         one statement per table: 10,000 steps take less than half a second. Hash joins only,
--             for the reason that app.parse_steps names
create or replace function app.insert_steps(
  run_id bigint,
  owner_id uuid,
  parent_id bigint,
  steps jsonb,
  is_open boolean,
  room integer,
  level integer,
  out total integer,
  out direct integer,
  out queued bigint[],
  out emptied bigint[]
)
  returns record
  language plpgsql
  volatile
  set search_path = ''
  set enable_nestloop = off
  set enable_hashjoin = on
as $$
declare
  v_now timestamptz := app.now();
  v_new record;
  v_edges record;
  v_from_ids bigint[];
  v_to_ids bigint[];
  v_lanes record;
begin
  v_new := app.parse_steps(
    insert_steps.run_id, insert_steps.parent_id, insert_steps.steps, insert_steps.is_open,
    insert_steps.room, insert_steps.level
  );
  total := coalesce(cardinality(v_new.ids), 0);
  direct := jsonb_array_length(insert_steps.steps);
  queued := v_new.queued;
  emptied := v_new.emptied;
  if total = 0 then
    return;
  end if;
  if v_new.edges > 0 then
    v_edges := app.parse_edges(v_new.ids, v_new.parent_ids, v_new.keys, v_new.specs);
    v_from_ids := v_edges.from_ids;
    v_to_ids := v_edges.to_ids;
  end if;

  insert into public.jobs (
    id, root_id, parent_id, owner_id, created_at, started_at, worked_at, key, type, status,
    on_failure, collects, priority, version, depends_on, input
  )
  select
    n.id,
    insert_steps.run_id,
    n.parent_id,
    insert_steps.owner_id,
    v_now,
    case when n.status = 'joining' then v_now end,
    case when n.status = 'joining' then v_now end,
    n.key,
    n.type,
    n.status,
    n.on_failure,
    n.spec ->> 'collect' is not null,
    coalesce((n.spec ->> 'priority')::integer, 0),
    t.version,
    d.to_ids,
    n.spec -> 'input'
  from unnest(
    v_new.ids, v_new.parent_ids, v_new.keys, v_new.types, v_new.statuses, v_new.policies,
    v_new.specs
  ) as n (id, parent_id, key, type, status, on_failure, spec)
  join public.job_types as t on t.name = n.type
  left join (
    select e.from_id, array_agg(e.to_id) as to_ids
    from unnest(v_from_ids, v_to_ids) as e (from_id, to_id)
    group by e.from_id
  ) as d on d.from_id = n.id;

  v_lanes := app.ensure_lanes(insert_steps.owner_id, v_new.handled);
  insert into app.job_queue (
    job_id, run_id, parent_id, lane_id, run_at, waits, open_children, priority, version, status,
    dependents
  )
  select
    n.id,
    insert_steps.run_id,
    n.parent_id,
    l.id,
    v_now,
    n.waits + coalesce(d.waits, 0),
    n.children,
    coalesce((n.spec ->> 'priority')::integer, 0),
    t.version,
    n.status,
    r.from_ids
  from unnest(
    v_new.ids, v_new.parent_ids, v_new.types, v_new.statuses, v_new.specs, v_new.waits,
    v_new.children
  ) as n (id, parent_id, type, status, spec, waits, children)
  join public.job_types as t on t.name = n.type
  left join unnest(v_lanes.types, v_lanes.ids) as l (type, id) on l.type = n.type
  left join (
    select e.from_id, count(*)::integer as waits
    from unnest(v_from_ids, v_to_ids) as e (from_id, to_id)
    group by e.from_id
  ) as d on d.from_id = n.id
  left join (
    select e.to_id, array_agg(e.from_id) as from_ids
    from unnest(v_from_ids, v_to_ids) as e (from_id, to_id)
    group by e.to_id
  ) as r on r.to_id = n.id;
end
$$;

comment on function app.insert_steps(bigint, uuid, bigint, jsonb, boolean, integer, integer) is
$$Inserts a list of steps with all steps below them into a run, as children of parent_id.

is_open: whether the own work of the parent is done. room: how many more steps the run may have.
level: the level of parent_id; 0 for a root.
Returns total: how many steps were inserted. direct: how many of them are children of parent_id.
queued: the steps that can run at once. emptied: groups that wait for nothing and have no children,
which app.settle_steps completes.$$;
