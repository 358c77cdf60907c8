-- app.insert_steps
--
-- Called by   app.submit_run, for the root; app.insert_children, for the children that a completion brings
-- Writes      jobs, job_queue; lanes, where the owner has none of a type
-- Errors      PT422 step_invalid, step_key_invalid, step_key_taken, step_type_unknown, step_dependency_unknown,
--             step_cycle, too_many_steps
-- Locks       the caller holds the run's lock
-- Why         one statement reads the whole tree, and each table is written once: 10,000 steps take less than half a
--             second. Hash joins only: a plan made for few steps would compare each key with each other.
create or replace function app.insert_steps(
  run_id bigint,
  owner_id uuid,
  parent_id bigint,
  steps jsonb,
  is_open boolean,
  room integer,
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
  v_names text[];
  v_have_handlers boolean[];
  v_on_failures text[];
  v_ids bigint[];
  v_parent_ids bigint[];
  v_keys text[];
  v_types text[];
  v_statuses text[];
  v_policies text[];
  v_specs jsonb[];
  v_waits integer[];
  v_children integer[];
  v_fault text;
  v_depend boolean;
  v_from_ids bigint[] := '{}'::bigint[];
  v_to_ids bigint[] := '{}'::bigint[];
  v_handled text[];
  v_lane_types text[];
  v_lane_ids bigint[];
begin
  select array_agg(t.name), array_agg(t.has_handler), array_agg(t.on_failure)
  into v_names, v_have_handlers, v_on_failures
  from public.job_types as t;

  -- Parents come before their children, and siblings in their order: so do their ids. (A join with job_types would mix them.)
  with recursive tree as (
    select
      case when insert_steps.parent_id is null then insert_steps.run_id else nextval('public.jobs_id_seq') end as id,
      insert_steps.parent_id as parent_id,
      s.spec,
      insert_steps.is_open as is_open,
      array_position(v_names, s.spec ->> 'type') as type
    from jsonb_array_elements(insert_steps.steps) as s (spec)
    union all
    select
      nextval('public.jobs_id_seq'),
      p.id,
      s.spec,
      -- The own work of a group that waits for nothing is done at once.
      p.is_open and not v_have_handlers[p.type] and coalesce(jsonb_array_length(p.spec -> 'depends_on') = 0, true),
      array_position(v_names, s.spec ->> 'type')
    from tree as p
    cross join lateral jsonb_array_elements(
      case jsonb_typeof(p.spec -> 'steps') when 'array' then p.spec -> 'steps' else '[]' end
    ) as s (spec)
    -- What is no list is a fault, and found below.
    where jsonb_typeof(coalesce(p.spec -> 'depends_on', '[]')) = 'array'
  ),
  read as (
    select
      t.id,
      t.parent_id,
      t.spec,
      t.is_open,
      v_names[t.type] as type,
      v_have_handlers[t.type] as has_handler,
      v_on_failures[t.type] as on_failure,
      coalesce(jsonb_array_length(
        case jsonb_typeof(t.spec -> 'depends_on') when 'array' then t.spec -> 'depends_on' end
      ), 0) as depends,
      coalesce(jsonb_array_length(
        case jsonb_typeof(t.spec -> 'steps') when 'array' then t.spec -> 'steps' end
      ), 0) as children
    from (select * from tree limit insert_steps.room + 1) as t
  )
  select
    array_agg(r.id),
    array_agg(r.parent_id),
    array_agg(r.spec ->> 'key'),
    array_agg(r.type),
    array_agg(r.spec - 'steps'),
    array_agg(coalesce(r.spec ->> 'on_failure', r.on_failure)),
    array_agg(r.children),
    array_agg(case when r.is_open then 0 else 1 end),
    array_agg(
      case
        when not r.is_open or r.depends > 0 then 'blocked'
        when r.has_handler then 'queued'
        when r.children > 0 then 'joining'
        else 'blocked'
      end
    ),
    coalesce(array_agg(r.id) filter (where r.is_open and r.depends = 0 and r.has_handler), '{}'),
    coalesce(
      array_agg(r.id) filter (where r.is_open and r.depends = 0 and not r.has_handler and r.children = 0), '{}'
    ),
    array_agg(distinct r.type) filter (where r.has_handler),
    bool_or(r.depends > 0),
    min(
      case
        when jsonb_typeof(r.spec) <> 'object' then 'invalid a step is no object'
        when jsonb_typeof(r.spec -> 'key') is distinct from 'string' or r.spec ->> 'key' !~ '^[a-z0-9_.:-]+$'
          or octet_length(r.spec ->> 'key') > 80
          then 'key ' || coalesce(left(r.spec ->> 'key', 80), '')
        when r.type is null then 'type ' || coalesce(left(r.spec ->> 'type', 80), '')
        when jsonb_typeof(coalesce(r.spec -> 'steps', '[]')) <> 'array'
          or jsonb_typeof(coalesce(r.spec -> 'depends_on', '[]')) <> 'array'
          then 'invalid steps and depends_on are lists'
        when coalesce(r.spec ->> 'on_failure', 'continue') not in ('fail_run', 'skip_dependents', 'continue')
          then 'invalid on_failure is fail_run, skip_dependents or continue'
        when coalesce(r.spec ->> 'collect', 'children') <> 'children' then 'invalid collect is children'
        when coalesce(r.spec ->> 'priority', '0') !~ '^(0|-?[1-9][0-9]?|-?100)$'
          then 'invalid priority is a whole number from -100 to 100'
        when r.spec - '{key,type,input,depends_on,steps,on_failure,collect,priority}'::text[] <> '{}'
          then 'invalid a step has key, type, input, depends_on, steps, on_failure, collect and priority'
      end
    )
  into
    v_ids, v_parent_ids, v_keys, v_types, v_specs, v_policies, v_children, v_waits, v_statuses, queued,
    emptied, v_handled, v_depend, v_fault
  from read as r;

  total := coalesce(cardinality(v_ids), 0);
  direct := jsonb_array_length(insert_steps.steps);
  if total = 0 then
    return;
  end if;
  if total > insert_steps.room then
    perform app.fail(
      422,
      'too_many_steps',
      'The run has too many steps.',
      'Submit several runs, or raise app.settings.run_steps_max.'
    );
  end if;
  if v_fault is not null then
    perform app.refuse_step_fault(v_fault);
  end if;

  -- Of the children that are there already, those with the same key count too.
  select k.key into v_fault
  from unnest(v_parent_ids, v_keys) as k (parent_id, key)
  group by k.parent_id, k.key
  having count(*) > 1
  limit 1;
  if v_fault is null and insert_steps.parent_id is not null then
    select j.key into v_fault
    from public.jobs as j
    where j.parent_id = insert_steps.parent_id
      and j.key in (
        select k.key
        from unnest(v_parent_ids, v_keys) as k (parent_id, key)
        where k.parent_id = insert_steps.parent_id
      )
    limit 1;
  end if;
  if v_fault is not null then
    perform app.fail(
      422,
      'step_key_taken',
      format('Two steps beside each other have the key "%s".', v_fault),
      'Give each a key of its own.'
    );
  end if;

  if v_depend then
    select
      array_agg(e.from_id order by e.to_id, e.from_id),
      array_agg(e.to_id order by e.to_id, e.from_id),
      min(e.key) filter (where e.to_id is null)
    into v_from_ids, v_to_ids, v_fault
    from (
      select distinct n.id as from_id, o.id as to_id, d.key
      from unnest(v_ids, v_parent_ids, v_specs) as n (id, parent_id, spec)
      cross join lateral jsonb_array_elements_text(n.spec -> 'depends_on') as d (key)
      left join unnest(v_ids, v_parent_ids, v_keys) as o (id, parent_id, key)
        on coalesce(o.parent_id, 0) = coalesce(n.parent_id, 0) and o.key = d.key
    ) as e;
    if v_fault is not null then
      perform app.fail(
        422,
        'step_dependency_unknown',
        format('A step depends on "%s", which is no step beside it.', left(v_fault, 80)),
        'Name steps of the same list.'
      );
    end if;

    if exists (select from unnest(v_from_ids, v_to_ids) as e (from_id, to_id) where e.to_id >= e.from_id)
      and app.has_cycle(v_from_ids, v_to_ids)
    then
      perform app.fail(422, 'step_cycle', 'Steps depend on one another in a circle.', 'Let each depend on steps that can come before it.');
    end if;
  end if;

  insert into public.jobs (
    id, root_id, parent_id, owner_id, created_at, started_at, worked_at, key, type, status, on_failure, collects,
    priority, depends_on, input
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
    d.to_ids,
    n.spec -> 'input'
  from unnest(v_ids, v_parent_ids, v_keys, v_types, v_statuses, v_policies, v_specs)
    as n (id, parent_id, key, type, status, on_failure, spec)
  left join (
    select e.from_id, array_agg(e.to_id) as to_ids
    from unnest(v_from_ids, v_to_ids) as e (from_id, to_id)
    group by e.from_id
  ) as d on d.from_id = n.id;

  select array_agg(l.type), array_agg(l.id) into v_lane_types, v_lane_ids
  from app.lanes as l
  where l.owner_id is not distinct from insert_steps.owner_id and l.type = any (v_handled);
  if cardinality(v_lane_types) is distinct from cardinality(v_handled) then
    insert into app.lanes (owner_id, type)
    select insert_steps.owner_id, h.type
    from unnest(v_handled) as h (type)
    where v_lane_types is null or h.type <> all (v_lane_types)
    order by h.type
    on conflict on constraint lanes_owner_and_type_are_unique do nothing;
    select array_agg(l.type), array_agg(l.id) into v_lane_types, v_lane_ids
    from app.lanes as l
    where l.owner_id is not distinct from insert_steps.owner_id and l.type = any (v_handled);
  end if;

  insert into app.job_queue (
    job_id, run_id, parent_id, lane_id, run_at, waits, open_children, priority, status, dependents
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
    n.status,
    r.from_ids
  from unnest(v_ids, v_parent_ids, v_types, v_statuses, v_specs, v_waits, v_children)
    as n (id, parent_id, type, status, spec, waits, children)
  left join unnest(v_lane_types, v_lane_ids) as l (type, id) on l.type = n.type
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

comment on function app.insert_steps(bigint, uuid, bigint, jsonb, boolean, integer) is
  'Puts a list of steps and all below them into a run, beside each other under parent_id. is_open: they do not wait '
  'for it. room: how many the run has room for. Returns how many came in total and directly, those that can run at once, and groups '
  'that wait for nothing and have nothing: app.settle_steps completes them.';

revoke execute on function app.insert_steps(bigint, uuid, bigint, jsonb, boolean, integer) from public;
