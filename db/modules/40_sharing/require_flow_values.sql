-- app.require_flow_values
--
-- Errors      PT422 flow_invalid
-- Why         what the columns of the tables would refuse is refused, whether or not this share gets rows in them
create or replace function app.require_flow_values(flow json, name text, maps json[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  if octet_length(require_flow_values.name) > 1000 then
    perform app.refuse_flow(require_flow_values.flow, 'a name of more than 1,000 bytes');
  end if;

  if exists (
    select
    from unnest(require_flow_values.maps) with ordinality as map (value, number)
    cross join lateral json_object_keys(map.value) as id
    having count(*) > count(distinct (map.number, id)) or not bool_and(octet_length(id) between 1 and 200)
  ) then
    perform app.refuse_flow(require_flow_values.flow, 'a node id that is empty, of more than 200 bytes, or there twice');
  end if;

  perform
  from json_each(require_flow_values.maps[1]) as agent
  cross join lateral json_to_record(agent.value) as typed(
    temperature double precision, "maxTokens" integer, "topP" double precision, "frequencyPenalty" double precision,
    "presencePenalty" double precision
  );
exception
  -- A fraction of a token, a number beyond a double, half a surrogate pair.
  when invalid_text_representation or numeric_value_out_of_range or untranslatable_character then
    perform app.refuse_flow(require_flow_values.flow, sqlerrm);
end
$$;

comment on function app.require_flow_values(json, text, json[]) is
  'Refuses a flow with a value that the tables could not hold.';
