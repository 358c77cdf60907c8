-- app.parse_steps
--
-- Errors      PT422 step_invalid, step_key_invalid, step_key_taken, step_type_unknown, too_many_steps,
--             too_many_dependencies
-- Why         one statement reads the whole tree. Hash joins only: a plan made for few steps would compare each key with
--             each other
create or replace function app.parse_steps(
  run_id bigint,
  parent_id bigint,
  steps jsonb,
  is_open boolean,
  room integer,
  level integer,
  out ids bigint[],
  out parent_ids bigint[],
  out keys text[],
  out types text[],
  out specs jsonb[],
  out policies text[],
  out children integer[],
  out waits integer[],
  out statuses text[],
  out queued bigint[],
  out emptied bigint[],
  out handled text[],
  out edges bigint
)
  returns record
  language plpgsql
  volatile
  set search_path = ''
  set enable_nestloop = off
  set enable_hashjoin = on
as $$
declare
  v_names text[];
  v_have_handlers boolean[];
  v_on_failures text[];
  v_fault text;
begin
  select array_agg(t.name), array_agg(t.has_handler), array_agg(t.on_failure)
  into v_names, v_have_handlers, v_on_failures
  from public.job_types as t;

  -- Parents come before their children, and siblings in their order: so do their ids. (A join with job_types would mix them.)
  with recursive tree as (
    select
      case when parse_steps.parent_id is null then parse_steps.run_id else nextval('public.jobs_id_seq') end as id,
      parse_steps.parent_id as parent_id,
      s.spec,
      parse_steps.is_open as is_open,
      array_position(v_names, s.spec ->> 'type') as type,
      parse_steps.level as level
    from jsonb_array_elements(parse_steps.steps) as s (spec)
    union all
    select
      nextval('public.jobs_id_seq'),
      p.id,
      s.spec,
      -- The own work of a group that waits for nothing is done at once.
      p.is_open and not v_have_handlers[p.type] and coalesce(jsonb_array_length(p.spec -> 'depends_on') = 0, true),
      array_position(v_names, s.spec ->> 'type'),
      p.level + 1
    from tree as p
    cross join lateral jsonb_array_elements(
      case jsonb_typeof(p.spec -> 'steps') when 'array' then p.spec -> 'steps' else '[]' end
    ) as s (spec)
    -- What is no list, or too deep, is a fault, and found below.
    where p.level <= 100
      and jsonb_typeof(coalesce(p.spec -> 'depends_on', '[]')) = 'array'
  ),
  read as (
    select
      t.id,
      t.parent_id,
      t.spec,
      t.level,
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
    from (select * from tree limit greatest(parse_steps.room, 0) + 1) as t
  )
  select
    array_agg(r.id),
    array_agg(r.parent_id),
    array_agg(r.spec ->> 'key'),
    array_agg(r.type),
    array_agg(case when jsonb_typeof(r.spec) = 'object' then r.spec - 'steps' end),
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
    sum(r.depends),
    min(
      case
        when jsonb_typeof(r.spec) <> 'object' then 'invalid a step is no object'
        when r.level > 100 then 'invalid steps are nested 100 levels deep at most'
        when r.spec -> 'key' is null then 'invalid a step has no key'
        when jsonb_typeof(r.spec -> 'key') <> 'string' or r.spec ->> 'key' !~ '^[a-z0-9_.:-]+$'
          or octet_length(r.spec ->> 'key') > 80
          then 'key ' || coalesce(left(r.spec ->> 'key', 80), '')
        when r.spec -> 'type' is null then format('invalid "%s" has no type', r.spec ->> 'key')
        when r.type is null then 'type ' || coalesce(left(r.spec ->> 'type', 80), '')
        when jsonb_typeof(coalesce(r.spec -> 'steps', '[]')) <> 'array'
          or jsonb_typeof(coalesce(r.spec -> 'depends_on', '[]')) <> 'array'
          then format('invalid steps and depends_on of "%s" are lists', r.spec ->> 'key')
        when coalesce(r.spec ->> 'on_failure', 'continue') not in ('fail_run', 'skip_dependents', 'continue')
          then format('invalid on_failure of "%s" is fail_run, skip_dependents or continue', r.spec ->> 'key')
        when coalesce(r.spec ->> 'collect', 'children') <> 'children'
          then format('invalid collect of "%s" is children', r.spec ->> 'key')
        when coalesce(r.spec ->> 'priority', '0') !~ '^(0|-?[1-9][0-9]?|-?100)$'
          then format('invalid priority of "%s" is a whole number from -100 to 100', r.spec ->> 'key')
        -- As text it has six times as many bytes at most; that many are seldom worth counting.
        when pg_column_size(r.spec -> 'input') > 170000 and octet_length((r.spec -> 'input')::text) > 1048576
          then format('invalid input of "%s" has more than 1 MiB', r.spec ->> 'key')
        when r.spec - '{key,type,input,depends_on,steps,on_failure,collect,priority}'::text[] <> '{}'
          then format(
            'invalid "%s" has a field "%s"; there are key, type, input, depends_on, steps, on_failure, collect and priority',
            r.spec ->> 'key',
            (
              select left(min(f.name), 80)
              from jsonb_object_keys(
                r.spec - '{key,type,input,depends_on,steps,on_failure,collect,priority}'::text[]
              ) as f (name)
            )
          )
      end
    )
  into
    ids, parent_ids, keys, types, specs, policies, children, waits, statuses, queued, emptied, handled, edges, v_fault
  from read as r;

  if ids is null then
    return;
  end if;
  if cardinality(ids) > parse_steps.room then
    perform app.fail(
      422,
      'too_many_steps',
      format('The run has more steps than the %s that it may have.', (select s.run_steps_max from app.settings as s)),
      'Submit several runs, or raise app.settings.run_steps_max.'
    );
  end if;
  if v_fault is not null then
    perform app.refuse_step_fault(v_fault);
  end if;
  if edges > 100000 then
    perform app.fail(
      422,
      'too_many_dependencies',
      'The steps name more than 100000 dependencies.',
      'Put a step between, on which the many depend.'
    );
  end if;

  -- Of the children that are there already, those with the same key count too.
  select k.key into v_fault
  from unnest(parent_ids, keys) as k (parent_id, key)
  group by k.parent_id, k.key
  having count(*) > 1
  limit 1;
  if v_fault is null and parse_steps.parent_id is not null then
    select j.key into v_fault
    from public.jobs as j
    where j.parent_id = parse_steps.parent_id
      and j.key in (
        select k.key
        from unnest(parent_ids, keys) as k (parent_id, key)
        where k.parent_id = parse_steps.parent_id
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
end
$$;

comment on function app.parse_steps(bigint, bigint, jsonb, boolean, integer, integer) is
  'Reads a list of steps and all below them, parents first, with an id for each: see app.insert_steps. waits: 1 where it waits '
  'for its parent''s own work. children: how many it has. queued, emptied: those that can run at once, and groups that wait for '
  'nothing and have nothing. handled: the types that have a handler. edges: how many dependencies they name.';
