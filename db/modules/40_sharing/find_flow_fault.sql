-- app.find_flow_fault
--
-- Called by   app.read_flow
create or replace function app.find_flow_fault(flow json, out path text, out expected text)
  language sql
  immutable
  set search_path = ''
begin atomic
  with top as (
    select t.name, t.description, t.nodes, t.edges
    from json_to_record(find_flow_fault.flow) as t(name json, description json, nodes json, edges json)
  ),
  maps (map, value) as (
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
  node_fields as (
    select
      n.map, n.key, n.value as node,
      f.name, f."modelTier", f.color,
      f.temperature, f."maxTokens", f."topP", f."frequencyPenalty", f."presencePenalty"
    from nodes as n
    cross join lateral json_to_record(case when json_typeof(n.value) = 'object' then n.value else '{}' end) as f(
      name json, "modelTier" json, color json, temperature json, "maxTokens" json, "topP" json,
      "frequencyPenalty" json, "presencePenalty" json
    )
  ),
  found (path, value, expected, allowed) as (
    select 'name', top.name, 'a string', array['string'] from top
    union all
    select 'description', coalesce(top.description, 'null'), 'a string or null', array['string', 'null'] from top
    union all
    select 'nodes', top.nodes, 'an array', array['array'] from top
    union all
    select 'edges', top.edges, 'an array', array['array'] from top
    union all
    select m.map, coalesce(m.value, '{}'), 'an object', array['object'] from maps as m
    union all
    select format('%s.%s', n.map, n.key), n.node, 'an object', array['object'] from node_fields as n
    union all
    select format('%s.%s.%s', n.map, n.key, t.field), coalesce(t.value, 'null'), 'a string or null', array['string', 'null']
    from node_fields as n
    cross join lateral (
      values
        ('name', n.name),
        ('modelTier', case when n.map = 'agents' then n."modelTier" end),
        ('color', case when n.map = 'dataStoreNodes' then n.color end)
    ) as t(field, value)
    union all
    select format('%s.%s.%s', n.map, n.key, t.field), coalesce(t.value, 'null'), 'a number or null', array['number', 'null']
    from node_fields as n
    cross join lateral (
      values
        ('temperature', n.temperature), ('maxTokens', n."maxTokens"), ('topP', n."topP"),
        ('frequencyPenalty', n."frequencyPenalty"), ('presencePenalty', n."presencePenalty")
    ) as t(field, value)
    where n.map = 'agents'
  )
  select left(found.path, 300), found.expected
  from found
  where coalesce(json_typeof(found.value) <> all (found.allowed), true)
  limit 1;
end;

comment on function app.find_flow_fault(json) is
  'The first place at which an object is not a flow in the enhanced format, and what should stand there; or nulls.';

revoke execute on function app.find_flow_fault(json) from public;
