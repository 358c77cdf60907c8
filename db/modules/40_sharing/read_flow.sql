-- app.read_flow
--
-- Errors      PT413 package_too_large, PT422 flow_invalid, too_many_nodes
-- Why         what is cheap to refuse is refused first, in one pass over the text
create or replace function app.read_flow(flow json)
  returns json
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_parts record;
  v_maps json[];
  v_nodes record;
begin
  perform app.require_package_size(read_flow.flow);

  if json_typeof(read_flow.flow) is distinct from 'object' then
    perform app.fail(422, 'flow_invalid', 'flow must be an object.', 'Send the exported flow as parameter flow.');
  end if;

  select
    f.name, f.description, f.nodes, f.edges, f."responseTemplate",
    array[f.agents, f."dataStoreNodes", f."ifNodes"] as maps
  into v_parts
  from json_to_record(read_flow.flow) as f(
    name json, description json, nodes json, edges json, "responseTemplate" json,
    agents json, "dataStoreNodes" json, "ifNodes" json
  );
  v_maps := v_parts.maps;

  select count(*) as total, coalesce(bool_and(json_typeof(node.value) = 'object'), true) as are_objects
  into v_nodes
  from unnest(v_maps) as map (value)
  cross join lateral json_each(case when json_typeof(map.value) = 'object' then map.value end) as node;
  perform app.require_node_count(v_nodes.total);

  if not v_nodes.are_objects
    or json_typeof(v_parts.name) is distinct from 'string'
    or json_typeof(v_parts.description) <> 'string'
    or json_typeof(v_parts.nodes) is distinct from 'array'
    or json_typeof(v_parts.edges) is distinct from 'array'
    or exists (select from unnest(v_maps) as map (value) where json_typeof(map.value) <> 'object')
  then
    perform app.refuse_flow(read_flow.flow, 'its shape');
  end if;

  perform app.require_flow_values(read_flow.flow, v_parts.name #>> '{}', v_maps);

  -- Every top-level key is there, as it nearly always is: null and absent look the same here.
  if v_parts.description is not null and v_parts."responseTemplate" is not null
    and num_nulls(variadic v_maps) = 0
  then
    return read_flow.flow;
  end if;

  return app.complete_flow(read_flow.flow);
end
$$;

comment on function app.read_flow(json) is
  'Checks the shape of a flow in the enhanced format; returns it with the defaults of what it leaves out.';
