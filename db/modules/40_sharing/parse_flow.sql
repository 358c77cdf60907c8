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
  -- Otherwise Postgres plans two statements again for each flow.
  set plan_cache_mode = force_generic_plan
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

  -- One pass over the text gives keys and values. The last of two equal keys counts, as everywhere
  -- in Postgres.
  select
    array_agg(f.key) as keys,
    (array_agg(f.value order by f.n desc) filter (where f.key = 'name'))[1] as name,
    (array_agg(f.value order by f.n desc) filter (where f.key = 'description'))[1] as description,
    (array_agg(f.value order by f.n desc) filter (where f.key = 'nodes'))[1] as nodes,
    (array_agg(f.value order by f.n desc) filter (where f.key = 'edges'))[1] as edges,
    (array_agg(f.value order by f.n desc) filter (where f.key = 'responseTemplate'))[1] as template,
    array[
      (array_agg(f.value order by f.n desc) filter (where f.key = 'agents'))[1],
      (array_agg(f.value order by f.n desc) filter (where f.key = 'dataStoreNodes'))[1],
      (array_agg(f.value order by f.n desc) filter (where f.key = 'ifNodes'))[1]
    ] as maps
  into v_parts
  from (
    select e.key, case when json_typeof(e.value) <> 'null' then e.value end as value, e.n
    from json_each(parse_flow.flow) with ordinality as e (key, value, n)
  ) as f;
  v_maps := v_parts.maps;

  select
    count(*) as total,
    count(distinct map.number || node.key) as ids,
    coalesce(bool_and(json_typeof(node.value) = 'object'), true) as are_objects,
    coalesce(
      bool_and(octet_length(node.key) between 1 and app.get_share_limit('node_id_bytes')), true
    ) as have_ids
  into v_nodes
  from unnest(v_maps) with ordinality as map (value, number)
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
  if v_nodes.ids < v_nodes.total or not v_nodes.have_ids then
    perform app.refuse_flow(
      parse_flow.flow,
      format(
        'a node id that is empty, has more than %s bytes, or occurs twice',
        app.get_share_limit('node_id_bytes')
      )
    );
  end if;

  perform app.require_flow_values(
    parse_flow.flow, v_parts.keys, v_parts.name #>> '{}', v_maps
  );

  -- Nearly every flow has every top-level key. Null and absent look the same here; app.fill_flow
  -- tells them apart.
  if v_parts.description is not null and v_parts.template is not null
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
