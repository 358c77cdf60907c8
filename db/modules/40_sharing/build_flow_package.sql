-- app.build_flow_package
create or replace function app.build_flow_package(flow_id uuid)
  returns json
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return (
    select json_build_object(
      'name', f.name,
      'description', f.description,
      'nodes', f.nodes,
      'edges', f.edges,
      'responseTemplate', f.response_template,
      'agents', coalesce((
        select json_object_agg(
          a.id,
          json_build_object(
            'name', a.name,
            'promptMessages', a.prompt_messages,
            'modelTier', a.model_tier,
            'temperature', a.temperature,
            'maxTokens', a.max_tokens,
            'topP', a.top_p,
            'frequencyPenalty', a.frequency_penalty,
            'presencePenalty', a.presence_penalty,
            'responseFormat', a.response_format
          )
          order by a.id
        )
        from public.agents as a
        where a.flow_id = f.id
      ), '{}'),
      'dataStoreNodes', coalesce((
        select json_object_agg(
          d.id,
          json_build_object(
            'name', d.name, 'color', d.color, 'dataStoreFields', d.data_store_fields
          )
          order by d.id
        )
        from public.data_store_nodes as d
        where d.flow_id = f.id
      ), '{}'),
      'ifNodes', coalesce((
        select json_object_agg(
          i.id,
          json_build_object('name', i.name, 'conditions', i.conditions)
          order by i.id
        )
        from public.if_nodes as i
        where i.flow_id = f.id
      ), '{}')
    )
    from public.flows as f
    where f.id = build_flow_package.flow_id
  );
end
$$;

comment on function app.build_flow_package(uuid) is
$$Returns a flow with its nodes in the enhanced format.

The format is { name, description, nodes, edges, responseTemplate, agents, dataStoreNodes,
ifNodes }; the last three are objects with the nodes by id.$$;
