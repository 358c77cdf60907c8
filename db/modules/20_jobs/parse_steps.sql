-- app.parse_steps
--
-- Errors      PT422 step_invalid, step_key_invalid, step_key_taken, step_type_unknown,
--             too_many_steps, too_many_dependencies
-- Why         one statement parses the whole tree. Hash joins only, because a plan made for few
--             steps uses nested loops, which compare every key with every other key
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
  -- The slug and the message of the first fault.
  v_fault text[];
  v_key text;
begin
  select array_agg(t.name), array_agg(t.has_handler), array_agg(t.on_failure)
  into v_names, v_have_handlers, v_on_failures
  from public.job_types as t;

  -- Ids rise from parents to children and from sibling to sibling. A join with job_types would
  -- change that order, so types are looked up in arrays.
  with recursive tree as (
    select
      case
        when parse_steps.parent_id is null then parse_steps.run_id
        else nextval('public.jobs_id_seq')
      end as id,
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
      -- The own work of a group is done at once if the group waits for nothing.
      p.is_open
        and not v_have_handlers[p.type]
        and coalesce(jsonb_array_length(p.spec -> 'depends_on') = 0, true),
      array_position(v_names, s.spec ->> 'type'),
      p.level + 1
    from tree as p
    cross join lateral jsonb_array_elements(
      case jsonb_typeof(p.spec -> 'steps') when 'array' then p.spec -> 'steps' else '[]' end
    ) as s (spec)
    -- The case below reports lists of another type, and levels that are too deep.
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
      array_agg(r.id) filter (
        where r.is_open and r.depends = 0 and not r.has_handler and r.children = 0
      ),
      '{}'
    ),
    array_agg(distinct r.type) filter (where r.has_handler),
    sum(r.depends),
    min(
      case
        when jsonb_typeof(r.spec) <> 'object'
          then array['step_invalid', 'A step is not a JSON object.']
        when r.level > 100
          then array['step_invalid', 'Steps are nested more than 100 levels deep.']
        when r.spec -> 'key' is null
          then array['step_invalid', 'A step has no key.']
        when jsonb_typeof(r.spec -> 'key') <> 'string'
          or r.spec ->> 'key' !~ '^[a-z0-9_.:-]+$'
          or octet_length(r.spec ->> 'key') > 80
          then array[
            'step_key_invalid', format('Invalid step key "%s".', left(r.spec ->> 'key', 80))
          ]
        when r.spec -> 'type' is null
          then array['step_invalid', format('Step "%s" has no type.', r.spec ->> 'key')]
        when r.type is null
          then array[
            'step_type_unknown', format('Unknown job type "%s".', left(r.spec ->> 'type', 80))
          ]
        when jsonb_typeof(coalesce(r.spec -> 'steps', '[]')) <> 'array'
          or jsonb_typeof(coalesce(r.spec -> 'depends_on', '[]')) <> 'array'
          then array[
            'step_invalid',
            format('steps and depends_on of step "%s" must be arrays.', r.spec ->> 'key')
          ]
        when coalesce(r.spec ->> 'on_failure', 'continue')
          not in ('fail_run', 'skip_dependents', 'continue')
          then array[
            'step_invalid',
            format(
              'on_failure of step "%s" must be fail_run, skip_dependents or continue.',
              r.spec ->> 'key'
            )
          ]
        when coalesce(r.spec ->> 'collect', 'children') <> 'children'
          then array[
            'step_invalid', format('collect of step "%s" must be "children".', r.spec ->> 'key')
          ]
        when coalesce(r.spec ->> 'priority', '0') !~ '^(0|-?[1-9][0-9]?|-?100)$'
          then array[
            'step_invalid',
            format(
              'priority of step "%s" must be a whole number from -100 to 100.', r.spec ->> 'key'
            )
          ]
        -- The text has at most six times as many bytes as the column, so few inputs are measured.
        when pg_column_size(r.spec -> 'input') > 170000
          and octet_length((r.spec -> 'input')::text) > 1048576
          then array[
            'step_invalid', format('input of step "%s" is larger than 1 MiB.', r.spec ->> 'key')
          ]
        when r.spec - '{key,type,input,depends_on,steps,on_failure,collect,priority}'::text[]
          <> '{}'
          then array[
            'step_invalid',
            format(
              'Step "%s" has an unknown field "%s".',
              r.spec ->> 'key',
              (
                select left(min(f.name), 80)
                from jsonb_object_keys(
                  r.spec - '{key,type,input,depends_on,steps,on_failure,collect,priority}'::text[]
                ) as f (name)
              )
            )
          ]
      end
    )
  into
    ids, parent_ids, keys, types, specs, policies, children, waits, statuses, queued, emptied,
    handled, edges, v_fault
  from read as r;

  if ids is null then
    return;
  end if;
  if cardinality(ids) > parse_steps.room then
    perform app.fail(
      422,
      'too_many_steps',
      format(
        'The run would have more than %s steps.',
        (select s.run_steps_max from app.settings as s)
      ),
      'Submit several smaller runs, or ask the operator to raise app.settings.run_steps_max.'
    );
  end if;
  if v_fault is not null then
    perform app.refuse_step_fault(v_fault[1], v_fault[2]);
  end if;
  if edges > 100000 then
    perform app.fail(
      422,
      'too_many_dependencies',
      'The steps list more than 100000 dependencies.',
      'Insert a step that depends on the first group, and let the second group depend on that step.'
    );
  end if;

  -- A key must also differ from the keys of children that exist already.
  select k.key into v_key
  from unnest(parent_ids, keys) as k (parent_id, key)
  group by k.parent_id, k.key
  having count(*) > 1
  limit 1;
  if v_key is null and parse_steps.parent_id is not null then
    select j.key into v_key
    from public.jobs as j
    where j.parent_id = parse_steps.parent_id
      and j.key in (
        select k.key
        from unnest(parent_ids, keys) as k (parent_id, key)
        where k.parent_id = parse_steps.parent_id
      )
    limit 1;
  end if;
  if v_key is not null then
    perform app.fail(
      422,
      'step_key_taken',
      format('Two sibling steps have the key "%s".', v_key),
      'Give each step of a list its own key.'
    );
  end if;
end
$$;

comment on function app.parse_steps(bigint, bigint, jsonb, boolean, integer, integer) is
$$Parses a list of steps with all steps below them. The parameters are those of app.insert_steps.

Returns one array element per step, parents first. ids: new ids. specs: the step as JSON, without
its children. policies: on_failure. children: how many children the step has. waits: 1 if the step
waits for the own work of its parent.
Returns also queued: steps that can run at once. emptied: groups that wait for nothing and have no
children. handled: the types of the steps that have a handler. edges: the number of dependencies.$$;
