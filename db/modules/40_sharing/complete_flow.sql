-- app.complete_flow
--
-- Why         a viewer may rely on every top-level key, as it could with the seed's backend
create or replace function app.complete_flow(flow json)
  returns json
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  v_missing text[] := array(
    select wanted.key
    from unnest(array['description', 'responseTemplate', 'agents', 'dataStoreNodes', 'ifNodes']) as wanted (key)
    except
    select given.key
    from json_object_keys(complete_flow.flow) as given (key)
  );
begin
  if cardinality(v_missing) = 0 then
    return complete_flow.flow;
  end if;

  return (
    select json_object_agg(entry.key, entry.value)
    from (
      select e.key, e.value from json_each(complete_flow.flow) as e
      union all
      select m.key, case when m.key in ('description', 'responseTemplate') then 'null'::json else '{}'::json end
      from unnest(v_missing) as m (key)
    ) as entry
  );
end
$$;

comment on function app.complete_flow(json) is 'A flow with every top-level key of the enhanced format.';
