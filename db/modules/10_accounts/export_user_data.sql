-- app.export_user_data
--
-- Called by   app.export_my_data; operators, for a user whose data are too large for that
-- Errors      PT413 export_too_large
-- Why         stable, so that all parts show the same moment. The aggregate appends each part and
--             frees it before the next one, so the memory is a few times that of the document
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
begin
  perform set_config('plinth.export_bytes', '0', true);

  return (
    select json_object_agg(
      p.name,
      case p.name
        when 'exported_at' then to_json(app.now())
        else app.export_part(
          p.function,
          export_user_data.user_id,
          export_user_data.max_bytes,
          export_user_data.until
        )
      end
    )
    from (
      select 'exported_at' as name, null as function
      union all
      (
        select e.name, e.function
        from app.exports as e
        order by e.name
      )
    ) as p
  );
end
$$;

comment on function app.export_user_data(uuid, bigint, timestamptz) is
$$Returns all data of a user as one JSON document, a key for each row of app.exports.

max_bytes: how many bytes the document may have. until: when the function stops. Both null: no
limit; Postgres can return up to 1 GiB. 413 export_too_large.$$;
