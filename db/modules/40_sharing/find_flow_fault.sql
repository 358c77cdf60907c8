-- app.find_flow_fault
--
-- Called by   app.read_flow
-- Why         plpgsql, like all that share_flow calls: it keeps its plan, where a function in SQL makes it anew each time
create or replace function app.find_flow_fault(
  name json,
  description json,
  nodes json,
  edges json,
  agents json,
  data_store_nodes json,
  if_nodes json,
  out path text,
  out expected text
)
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  with maps (map, value) as (
    values
      ('agents', find_flow_fault.agents),
      ('dataStoreNodes', find_flow_fault.data_store_nodes),
      ('ifNodes', find_flow_fault.if_nodes)
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
    values
      ('name', find_flow_fault.name, 'a string', array['string']),
      ('description', coalesce(find_flow_fault.description, 'null'), 'a string or null', array['string', 'null']),
      ('nodes', find_flow_fault.nodes, 'an array', array['array']),
      ('edges', find_flow_fault.edges, 'an array', array['array'])
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
  into find_flow_fault.path, find_flow_fault.expected
  from found
  where coalesce(json_typeof(found.value) <> all (found.allowed), true)
  limit 1;
end
$$;

comment on function app.find_flow_fault(json, json, json, json, json, json, json) is
  'The first place at which the parts of a flow are not in the enhanced format, and what should stand there; or nulls.';

revoke execute on function app.find_flow_fault(json, json, json, json, json, json, json) from public;
