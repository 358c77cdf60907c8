-- app.require_flow_values
--
-- Errors      PT422 flow_invalid
-- Why         an unlisted flow gets no rows, but it may hold no value that the columns of a public
--             flow would refuse. A field whose name is nearly right would be kept, and lost for the
--             reader
-- The function of earlier releases, without keys.
drop function if exists app.require_flow_values(json, text, json[]);

create or replace function app.require_flow_values(
  flow json,
  keys text[],
  name text,
  maps json[]
)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_keys record;
begin
  if octet_length(require_flow_values.name) > app.get_share_limit('flow_name_bytes') then
    perform app.refuse_flow(
      require_flow_values.flow,
      format('a name of more than %s bytes', app.get_share_limit('flow_name_bytes'))
    );
  end if;

  -- One pass over the nodes. The casts are there to fail; each is counted, so that it is evaluated.
  select
    array_agg(field.key) filter (where map.number = 1) as agents,
    array_agg(field.key) filter (where map.number = 2) as stores,
    array_agg(field.key) filter (where map.number = 3) as ifs,
    count(case
      when map.number = 1
        and field.key in ('temperature', 'topP', 'frequencyPenalty', 'presencePenalty')
      then (field.value #>> '{}')::double precision
    end) as numbers,
    count(case
      when map.number = 1 and field.key = 'maxTokens' then (field.value #>> '{}')::integer
    end) as integers
  into v_keys
  from unnest(require_flow_values.maps) with ordinality as map (value, number)
  cross join lateral json_each(map.value) as node
  cross join lateral json_each(node.value) as field;

  if not (
    require_flow_values.keys <@ app.get_field_names('flow')
    and coalesce(v_keys.agents <@ app.get_field_names('agents'), true)
    and coalesce(v_keys.stores <@ app.get_field_names('dataStoreNodes'), true)
    and coalesce(v_keys.ifs <@ app.get_field_names('ifNodes'), true)
  ) and exists (
    select
    from (
      values
        (require_flow_values.keys, 'flow'),
        (v_keys.agents, 'agents'),
        (v_keys.stores, 'dataStoreNodes'),
        (v_keys.ifs, 'ifNodes')
    ) as part (keys, name)
    cross join lateral app.list_near_keys(part.keys, part.name)
  ) then
    perform app.refuse_flow(require_flow_values.flow, 'a field with another name');
  end if;
exception
  -- A fraction of a token, a number beyond a double, half a surrogate pair.
  when invalid_text_representation or numeric_value_out_of_range or untranslatable_character then
    perform app.refuse_flow(require_flow_values.flow, sqlerrm);
end
$$;

comment on function app.require_flow_values(json, text[], text, json[]) is
$$Refuses a flow with a value that the tables cannot hold, or a field whose name is nearly right.

keys, name: of the flow. maps: agents, dataStoreNodes and ifNodes. 422 flow_invalid: the message
names the place or the reason.$$;
