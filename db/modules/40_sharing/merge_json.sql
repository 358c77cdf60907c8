-- app.merge_json
create or replace function app.merge_json(document json, patch json)
  returns json
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return (
    select json_object_agg(field.key, field.value order by field.part, field.position)
    from (
      select 1 as part, old.position, old.key, old.value
      from json_each(merge_json.document) with ordinality as old (key, value, position)
      where not exists (
        select from json_object_keys(merge_json.patch) as new (key) where new.key = old.key
      )
      union all
      select 2, new.position, new.key, new.value
      from json_each(merge_json.patch) with ordinality as new (key, value, position)
    ) as field
  );
end
$$;

comment on function app.merge_json(json, json) is
$$Returns document with the fields of patch.

A field of patch replaces the field of document with the same name. All other fields keep their text
and their order.$$;
