-- app.fill_flow
--
-- Why         a viewer may rely on every top-level key, as with the backend of origin 000
create or replace function app.fill_flow(flow json)
  returns json
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  v_missing text[] := array(
    select wanted.key
    from unnest(
      array['description', 'responseTemplate', 'agents', 'dataStoreNodes', 'ifNodes']
    ) as wanted (key)
    except
    select given.key
    from json_object_keys(fill_flow.flow) as given (key)
  );
begin
  if cardinality(v_missing) = 0 then
    return fill_flow.flow;
  end if;

  return (
    select json_object_agg(entry.key, entry.value)
    from (
      select e.key, e.value from json_each(fill_flow.flow) as e
      union all
      select
        m.key,
        case when m.key in ('description', 'responseTemplate') then 'null'::json else '{}'::json end
      from unnest(v_missing) as m (key)
    ) as entry
  );
end
$$;

comment on function app.fill_flow(json) is
  'Returns a flow with every top-level key of the enhanced format; missing ones become null or {}.';
