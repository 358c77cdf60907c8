-- app.find_flow_fault
--
-- Why         apart from app.parse_flow, because looking for the place takes longer than finding
--             that there is a fault
create or replace function app.find_flow_fault(flow json, out path text, out expected text)
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  with maps (map, value) as (
    values
      ('agents', find_flow_fault.flow -> 'agents'),
      ('dataStoreNodes', find_flow_fault.flow -> 'dataStoreNodes'),
      ('ifNodes', find_flow_fault.flow -> 'ifNodes')
  ),
  nodes as (
    select m.map, e.key, e.value
    from maps as m
    cross join lateral json_each(case when json_typeof(m.value) = 'object' then m.value end) as e
  ),
  numbers as (
    select
      format('agents.%s.%s', n.key, f.field) as path,
      n.value -> f.field as value,
      f.field
    from nodes as n
    cross join unnest(
      array['temperature', 'maxTokens', 'topP', 'frequencyPenalty', 'presencePenalty']
    ) as f (field)
    where n.map = 'agents' and json_typeof(n.value) = 'object'
  ),
  near_keys as (
    select k.key as path, k.name
    from app.list_near_keys(
      array(
        select o.key
        from json_object_keys(
          case json_typeof(find_flow_fault.flow) when 'object' then find_flow_fault.flow end
        ) as o (key)
      ),
      'flow'
    ) as k
    union all
    select format('%s.%s.%s', n.map, n.key, k.key), k.name
    from nodes as n
    cross join lateral app.list_near_keys(
      array(
        select o.key
        from json_object_keys(case json_typeof(n.value) when 'object' then n.value end) as o (key)
      ),
      n.map
    ) as k
  ),
  found (path, value, expected, allowed) as (
    select n.path, null::json, format('named %s', n.name), null::text[]
    from near_keys as n
    union all
    values
      ('name', find_flow_fault.flow -> 'name', 'a string', array['string']),
      (
        'description',
        coalesce(find_flow_fault.flow -> 'description', 'null'),
        'a string or null',
        array['string', 'null']
      ),
      ('nodes', find_flow_fault.flow -> 'nodes', 'an array', array['array']),
      ('edges', find_flow_fault.flow -> 'edges', 'an array', array['array'])
    union all
    select m.map, coalesce(m.value, 'null'), 'an object', array['object', 'null']
    from maps as m
    union all
    select format('%s.%s', n.map, n.key), n.value, 'an object', array['object']
    from nodes as n
    union all
    select n.path, coalesce(n.value, 'null'), 'a number or null', array['number', 'null']
    from numbers as n
    union all
    select n.path, n.value, 'a whole number or null', array['null']
    from numbers as n
    where n.field = 'maxTokens'
      and json_typeof(n.value) = 'number'
      and n.value::text !~ '^-?[0-9]{1,9}$'
  )
  select left(found.path, 300), found.expected
  into find_flow_fault.path, find_flow_fault.expected
  from found
  where coalesce(json_typeof(found.value) <> all (found.allowed), true)
  limit 1;
end
$$;

comment on function app.find_flow_fault(json) is
$$Finds the first place at which an object differs from the enhanced format of a flow.

Returns the path of the place and what it must be, or two nulls.$$;
