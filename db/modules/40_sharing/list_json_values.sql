-- app.list_json_values
create or replace function app.list_json_values(container json)
  returns table (value json, number bigint)
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  if json_typeof(list_json_values.container) = 'array' then
    return query
    select e.value, e.number
    from json_array_elements(list_json_values.container) with ordinality as e (value, number);
  else
    return query
    select e.value, e.number
    from json_each(list_json_values.container) with ordinality as e (key, value, number);
  end if;
end
$$;

comment on function app.list_json_values(json) is
  'Lists the elements of a JSON array, or the values of a JSON object, in their order, from 1.';
