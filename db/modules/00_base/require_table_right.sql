-- app.require_table_right, gate.require_table_right
--
-- Called by   app.admit_caller, gate.become_key_owner
-- Errors      PT401 not_signed_in, PT403 upsert_not_allowed, write_not_allowed
-- Why         Postgres would refuse the same requests with 42501, which has no hint. PostgREST
--             does not show SQL the columns of a request. If a request has several headers Prefer,
--             SQL sees only the last one. Postgres checks the rest.
create or replace function app.require_table_right(role text, method text, prefer text)
  returns void
  language plpgsql
  stable
  security definer
  set search_path = ''
as $$
declare
  v_table regclass := app.find_request_table();
  v_right text := case require_table_right.method
    when 'POST' then 'insert'
    when 'PUT' then 'insert'
    when 'PATCH' then 'update'
    when 'DELETE' then 'delete'
    else 'select'
  end;
  v_is_upsert boolean := require_table_right.method = 'PUT'
    or (v_right = 'insert' and require_table_right.prefer like '%merge-duplicates%');
  v_name text;
  v_hint text;
begin
  if app.has_table_right(require_table_right.role, v_table, v_right) is not false then
    if v_is_upsert is not true
      or app.has_table_right(require_table_right.role, v_table, 'update') is not false
    then
      return;
    end if;
    v_right := 'update';
  end if;

  v_name := substr(current_setting('request.path', true), 2);
  if require_table_right.role = 'anon'
    and app.has_table_right('authenticated', v_table, v_right)
  then
    perform app.fail(
      401,
      'not_signed_in',
      format('Table %s is for signed-in users.', v_name),
      'Send the user''s JWT as a bearer token.'
    );
  end if;
  if v_right = 'select' then
    return;
  end if;

  v_hint := (select h.hint from app.table_hints as h where h.table_name = v_name);
  if v_right = 'update' and v_is_upsert then
    perform app.fail(
      403,
      'upsert_not_allowed',
      format(
        'Role %s may insert rows of table %s, but not update them.',
        require_table_right.role, v_name
      ),
      concat_ws(
        ' ',
        'Send Prefer: resolution=ignore-duplicates; in supabase-js, '
        'upsert(…, { ignoreDuplicates: true }).',
        v_hint
      )
    );
  end if;
  perform app.fail(
    403,
    'write_not_allowed',
    format('Role %s may not %s rows of table %s.', require_table_right.role, v_right, v_name),
    coalesce(v_hint, 'Call a function that writes the table.')
  );
end
$$;

comment on function app.require_table_right(text, text, text) is
  'Refuses a request if the role has the needed right on no column of the table. The hint names '
  'the functions that change the table.';

create or replace function gate.require_table_right(role text, method text, prefer text)
  returns void
  language sql
  stable
return app.require_table_right(role, method, prefer);

comment on function gate.require_table_right(text, text, text) is
  'Refuses a request to a table that the role may not make, for gate.become_key_owner.';

grant execute on function app.require_table_right(text, text, text)
  to anon, authenticated, service_role;
grant execute on function gate.require_table_right(text, text, text)
  to anon, authenticated, service_role;
