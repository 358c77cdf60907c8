-- app.export_user_data
--
-- Called by   app.export_my_data; operators, for a user whose data are too large for that
-- Errors      PT413 export_too_large
-- Why         stable, so that all parts show the same moment
create or replace function app.export_user_data(
  user_id uuid,
  max_bytes bigint default null,
  until timestamptz default null
)
  returns json
  language plpgsql
  stable
  set search_path = ''
  set timezone = 'UTC'
as $$
declare
  v_export record;
  v_part text;
  v_parts text[] := array['"exported_at":' || to_json(app.now())];
  v_bytes bigint := octet_length(v_parts[1]) + 2;
begin
  for v_export in
    select e.name, e.function
    from app.exports as e
    order by e.name
  loop
    v_part := format('%s:', to_json(v_export.name));
    v_part := v_part || app.export_part(
      v_export.function,
      export_user_data.user_id,
      export_user_data.max_bytes - v_bytes - octet_length(v_part),
      export_user_data.until
    );
    v_bytes := v_bytes + octet_length(v_part) + 1;
    v_parts := array_append(v_parts, v_part);
  end loop;

  return '{' || array_to_string(v_parts, ',') || '}';
end
$$;

comment on function app.export_user_data(uuid, bigint, timestamptz) is
$$Returns all data of a user as one JSON document, a key for each row of app.exports.

max_bytes: how many bytes the document may have. until: when the function stops. Both null: no
limit; Postgres can return up to 1 GiB. 413 export_too_large.$$;
