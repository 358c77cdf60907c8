-- app.export_part
--
-- Errors      PT413 export_too_large
-- Why         The function of the part stands in the select list, where Postgres reads one row of
--             it at a time. So time, memory and disk space end with max_bytes and until, however
--             much the user has stored. plinth.export_bytes has the bytes of the parts so far.
create or replace function app.export_part(
  function text,
  user_id uuid,
  max_bytes bigint,
  until timestamptz
)
  returns json
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_function constant regprocedure := (export_part.function || '(uuid)')::regprocedure;
  v_bytes constant bigint := current_setting('plinth.export_bytes')::bigint;
  v_part json;
  v_part_bytes bigint;
begin
  execute format(
    'select %s as part, coalesce(max(r.bytes), 0) as bytes '
    'from ('
    '  select x.row, sum(octet_length(x.row::text) + 4) over (rows unbounded preceding) as bytes'
    '  from (select %s($1) as row) as x'
    ') as r',
    case
      when (select p.proretset from pg_catalog.pg_proc as p where p.oid = v_function)
        then 'coalesce(json_agg(app.pass_export_row(r.row, r.bytes, $2, $3)), ''[]'')'
      else '(array_agg(app.pass_export_row(r.row, r.bytes, $2, $3)))[1]'
    end,
    v_function::regproc
  )
  into v_part, v_part_bytes
  using export_part.user_id, export_part.max_bytes - v_bytes, export_part.until;
  perform set_config('plinth.export_bytes', (v_bytes + v_part_bytes)::text, true);

  return coalesce(v_part, 'null');
end
$$;

comment on function app.export_part(text, uuid, bigint, timestamptz) is
$$Returns a part of a user's data, for app.export_user_data.

function: "app.<name>", as app.exports has it. A function that returns json makes an object, and a
function that returns setof json makes a list. 413 export_too_large.$$;
