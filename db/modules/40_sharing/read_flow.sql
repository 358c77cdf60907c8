-- app.read_flow
--
-- Called by   app.share_flow
-- Errors      PT413 package_too_large, PT422 flow_invalid, too_many_nodes
-- Why         what is cheap to refuse is refused first: size, then the number of nodes, then their fields
create or replace function app.read_flow(flow json)
  returns json
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  v_parts record;
  v_nodes bigint;
  v_fault record;
begin
  perform app.require_package_size(read_flow.flow);

  if json_typeof(read_flow.flow) is distinct from 'object' then
    perform app.fail(422, 'flow_invalid', 'flow must be an object.', 'Send the exported flow as parameter flow.');
  end if;

  -- One pass over the text; null and absent are the same here.
  select f.name, f.description, f.nodes, f.edges, f.agents, f."dataStoreNodes", f."ifNodes" into v_parts
  from json_to_record(read_flow.flow) as f(
    name json, description json, nodes json, edges json, agents json, "dataStoreNodes" json, "ifNodes" json
  );

  select count(*) into v_nodes
  from unnest(array[v_parts.agents, v_parts."dataStoreNodes", v_parts."ifNodes"]) as map (value)
  cross join lateral json_object_keys(case when json_typeof(map.value) = 'object' then map.value end);
  perform app.require_node_count(v_nodes);

  select f.path, f.expected into v_fault
  from app.find_flow_fault(
    v_parts.name, v_parts.description, v_parts.nodes, v_parts.edges,
    v_parts.agents, v_parts."dataStoreNodes", v_parts."ifNodes"
  ) as f;
  if v_fault.path is not null then
    perform app.fail(
      422,
      'flow_invalid',
      format('%s must be %s.', v_fault.path, v_fault.expected),
      'Send the flow as the editor exports it.'
    );
  end if;

  return app.complete_flow(read_flow.flow);
end
$$;

comment on function app.read_flow(json) is
  'Checks a flow in the enhanced format; returns it with the defaults of what it leaves out.';

revoke execute on function app.read_flow(json) from public;
