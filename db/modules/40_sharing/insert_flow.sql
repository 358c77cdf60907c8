-- app.insert_flow
--
-- Writes      flows, agents, data_store_nodes, if_nodes, sealed from the start
-- Errors      PT413 public_share_too_large
create or replace function app.insert_flow(flow json)
  returns uuid
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_flow_id uuid := gen_random_uuid();
  v_parts record;
begin
  select
    f.name, f.description, f.nodes, f.edges, f."responseTemplate", f.agents, f."dataStoreNodes",
    f."ifNodes"
  into v_parts
  from json_to_record(insert_flow.flow) as f(
    name text, description text, nodes json, edges json, "responseTemplate" json,
    agents json, "dataStoreNodes" json, "ifNodes" json
  );

  perform app.require_public_size(octet_length(insert_flow.flow::text), (
    select count(*)
    from unnest(array[v_parts.agents, v_parts."dataStoreNodes", v_parts."ifNodes"]) as map (value)
    cross join lateral json_object_keys(map.value)
  ));

  insert into public.flows (id, name, description, nodes, edges, response_template, sealed_at)
  values (
    v_flow_id, v_parts.name, v_parts.description, v_parts.nodes, v_parts.edges,
    v_parts."responseTemplate", app.now()
  );

  insert into public.agents (
    flow_id, id, name, prompt_messages, model_tier, temperature, max_tokens, top_p,
    frequency_penalty, presence_penalty, response_format
  )
  select
    v_flow_id, e.key, a.name, a."promptMessages", a."modelTier", a.temperature, a."maxTokens",
    a."topP", a."frequencyPenalty", a."presencePenalty", a."responseFormat"
  from json_each(v_parts.agents) as e
  cross join lateral json_to_record(e.value) as a(
    name text, "promptMessages" json, "modelTier" text, temperature double precision,
    "maxTokens" integer, "topP" double precision, "frequencyPenalty" double precision,
    "presencePenalty" double precision, "responseFormat" json
  );

  insert into public.data_store_nodes (flow_id, id, name, color, data_store_fields)
  select v_flow_id, e.key, d.name, d.color, d."dataStoreFields"
  from json_each(v_parts."dataStoreNodes") as e
  cross join lateral json_to_record(e.value) as d(name text, color text, "dataStoreFields" json);

  insert into public.if_nodes (flow_id, id, name, conditions)
  select v_flow_id, e.key, i.name, i.conditions
  from json_each(v_parts."ifNodes") as e
  cross join lateral json_to_record(e.value) as i(name text, conditions json);

  return v_flow_id;
end
$$;

comment on function app.insert_flow(json) is
$$Inserts a public flow with its nodes, sealed from the start, and returns its new id.

flow: from app.parse_flow.$$;
