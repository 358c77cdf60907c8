-- app.complete_flow
--
-- Called by   app.read_flow
-- Why         a viewer may rely on every top-level key, as it could with the seed's backend
create or replace function app.complete_flow(flow json)
  returns json
  language sql
  immutable
  set search_path = ''
begin atomic
  with defaults (key, value) as (
    values
      ('description', 'null'::json),
      ('responseTemplate', 'null'::json),
      ('agents', '{}'::json),
      ('dataStoreNodes', '{}'::json),
      ('ifNodes', '{}'::json)
  ),
  missing as (
    select d.key, d.value
    from defaults as d
    where complete_flow.flow -> d.key is null
  )
  select case
    when exists (select from missing) then (
      select json_object_agg(entry.key, entry.value)
      from (
        select e.key, e.value from json_each(complete_flow.flow) as e
        union all
        select m.key, m.value from missing as m
      ) as entry
    )
    else complete_flow.flow
  end;
end;

comment on function app.complete_flow(json) is 'A flow with every top-level key of the enhanced format.';

revoke execute on function app.complete_flow(json) from public;
