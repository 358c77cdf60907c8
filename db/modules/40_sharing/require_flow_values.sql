-- app.require_flow_values
--
-- Errors      PT422 flow_invalid
-- Why         an unlisted flow gets no rows, but it may hold no value that the columns of a public
--             flow would refuse
create or replace function app.require_flow_values(flow json, name text, maps json[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  if octet_length(require_flow_values.name) > app.get_share_limit('flow_name_bytes') then
    perform app.refuse_flow(
      require_flow_values.flow,
      format('a name of more than %s bytes', app.get_share_limit('flow_name_bytes'))
    );
  end if;

  if exists (
    select
    from unnest(require_flow_values.maps) with ordinality as map (value, number)
    cross join lateral json_object_keys(map.value) as id
    having count(*) > count(distinct (map.number, id))
      or not bool_and(octet_length(id) between 1 and app.get_share_limit('node_id_bytes'))
  ) then
    perform app.refuse_flow(
      require_flow_values.flow,
      format(
        'a node id that is empty, has more than %s bytes, or occurs twice',
        app.get_share_limit('node_id_bytes')
      )
    );
  end if;

  perform
  from json_each(require_flow_values.maps[1]) as agent
  cross join lateral json_to_record(agent.value) as typed(
    temperature double precision, "maxTokens" integer, "topP" double precision,
    "frequencyPenalty" double precision, "presencePenalty" double precision
  );
exception
  -- A fraction of a token, a number beyond a double, half a surrogate pair.
  when invalid_text_representation or numeric_value_out_of_range or untranslatable_character then
    perform app.refuse_flow(require_flow_values.flow, sqlerrm);
end
$$;

comment on function app.require_flow_values(json, text, json[]) is
$$Refuses a flow with a value that the tables cannot hold.

name: of the flow. maps: agents, dataStoreNodes and ifNodes. 422 flow_invalid: the message names the
place or the reason.$$;
