-- app.parse_flow
--
-- Errors      PT413 package_too_large, PT422 flow_invalid, too_many_nodes, PT429 rate_limited
-- Locks       the caller (advisory), for a large flow
-- Why         the cheap checks come first, in one pass over the text
create or replace function app.parse_flow(flow json)
  returns json
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_bytes integer := octet_length(parse_flow.flow::text);
  v_parts record;
  v_maps json[];
  v_nodes record;
  v_flow json;
begin
  perform app.require_package_size(v_bytes);
  perform app.lock_large_package(v_bytes);

  if json_typeof(parse_flow.flow) is distinct from 'object' then
    perform app.fail(
      422, 'flow_invalid', 'flow must be an object.', 'Send the exported flow as parameter flow.'
    );
  end if;

  select
    f.name, f.description, f.nodes, f.edges, f."responseTemplate",
    array[f.agents, f."dataStoreNodes", f."ifNodes"] as maps
  into v_parts
  from json_to_record(parse_flow.flow) as f(
    name json, description json, nodes json, edges json, "responseTemplate" json,
    agents json, "dataStoreNodes" json, "ifNodes" json
  );
  v_maps := v_parts.maps;

  select
    count(*) as total,
    coalesce(bool_and(json_typeof(node.value) = 'object'), true) as are_objects
  into v_nodes
  from unnest(v_maps) as map (value)
  cross join lateral json_each(case when json_typeof(map.value) = 'object' then map.value end)
    as node;
  perform app.require_node_count(v_nodes.total);

  if not v_nodes.are_objects
    or json_typeof(v_parts.name) is distinct from 'string'
    or json_typeof(v_parts.description) <> 'string'
    or json_typeof(v_parts.nodes) is distinct from 'array'
    or json_typeof(v_parts.edges) is distinct from 'array'
    or exists (select from unnest(v_maps) as map (value) where json_typeof(map.value) <> 'object')
  then
    perform app.refuse_flow(parse_flow.flow, 'its shape');
  end if;

  perform app.require_flow_values(parse_flow.flow, v_parts.name #>> '{}', v_maps);

  -- Nearly every flow has every top-level key. Null and absent look the same here; app.fill_flow
  -- tells them apart.
  if v_parts.description is not null and v_parts."responseTemplate" is not null
    and num_nulls(variadic v_maps) = 0
  then
    return parse_flow.flow;
  end if;

  v_flow := app.fill_flow(parse_flow.flow);
  perform app.require_package_size(octet_length(v_flow::text));

  return v_flow;
end
$$;

comment on function app.parse_flow(json) is
$$Checks a flow in the enhanced format and returns it with every top-level key.

The result fits into a package. 413 package_too_large, 422 flow_invalid (the message names the
place), too_many_nodes. 429 rate_limited: another large package of this caller is in progress.$$;
