-- app.export_part
--
-- Errors      PT413 export_too_large
-- Why         The function stands in the select list, where Postgres reads one row of it at a time,
--             and appending to an array of texts copies no earlier row. So time, memory and disk
--             space end with max_bytes and until, however much the user has stored.
create or replace function app.export_part(
  function text,
  user_id uuid,
  max_bytes bigint,
  until timestamptz
)
  returns text
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_function constant regprocedure := export_part.function || '(uuid)';
  v_is_list constant boolean := (
    select p.proretset from pg_catalog.pg_proc as p where p.oid = v_function
  );
  v_row text;
  v_rows text[] := '{}';
  v_bytes bigint := 2;
begin
  for v_row in
    execute format('select %s($1)::text', v_function::regproc) using export_part.user_id
  loop
    v_bytes := v_bytes + octet_length(v_row) + 1;
    if v_bytes > export_part.max_bytes or app.clock() > export_part.until then
      perform app.fail(
        413,
        'export_too_large',
        'These data are too large to export in one answer.',
        'Delete what you no longer need, or ask the operator of this server for the export.'
      );
    end if;
    v_rows := array_append(v_rows, v_row);
  end loop;

  if v_is_list then
    return '[' || array_to_string(v_rows, ',') || ']';
  end if;
  return coalesce(v_rows[1], 'null');
end
$$;

comment on function app.export_part(text, uuid, bigint, timestamptz) is
$$Returns a part of a user's data as JSON text.

function: "app.<name>", as app.exports has it. max_bytes: how many bytes the part may have. until:
when the function stops. Both null: no limit. 413 export_too_large.$$;
