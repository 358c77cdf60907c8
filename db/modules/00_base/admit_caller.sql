-- app.admit_caller, gate.admit_caller
--
-- Called by   gate.pre_request, for a request without an API key
-- Errors      PT401 not_signed_in, token_audience_wrong, token_without_expiry,
--             PT429 too_many_at_once, and those of app.require_body_length,
--             app.require_exact_count and app.require_table_right
-- Locks       a slot of the caller (app.take_request_slot); for an anonymous read, then a turn
--             (app.await_turn)
-- Why         PostgREST accepts every token with a good signature: also one that never expires, one
--             for another service, and one of a deleted user. This function runs before each
--             request. Postgres prepares every expression again in each transaction, so the usual
--             request evaluates few expressions, and calls only functions that Postgres inlines.
create or replace function app.admit_caller(role text)
  returns void
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_headers jsonb := nullif(current_setting('request.headers', true), '')::jsonb;
  v_method text := current_setting('request.method', true);
  v_claims jsonb := auth.jwt();
  v_slots integer;
  v_key text;
  v_timeout text;
begin
  if v_method in ('POST', 'PUT', 'PATCH', 'DELETE')
    or v_headers ?| '{content-length,transfer-encoding,prefer}'
  then
    -- A Content-Length of one to six digits is below every limit, so no further check is needed.
    if v_headers ? 'transfer-encoding'
      or (v_headers ->> 'content-length' ~ '^[0-9]{1,6}$') is not true
    then
      perform app.require_body_length(v_headers::json, v_method);
    end if;
    if v_headers ->> 'prefer' ~* 'planned|estimated|merge-duplicates' then
      perform
        app.require_exact_count(v_headers ->> 'prefer', admit_caller.role),
        app.require_table_right(admit_caller.role, v_method, v_headers ->> 'prefer');
    end if;
    if v_method not in ('GET', 'HEAD')
      and current_setting('request.path', true) not like '/rpc/%'
    then
      -- Null for a DELETE, a PUT and a path without a table.
      if has_any_column_privilege(
        admit_caller.role,
        app.find_request_table(),
        case v_method when 'POST' then 'insert' when 'PATCH' then 'update' end
      ) is not true
      then
        perform app.require_table_right(admit_caller.role, v_method, v_headers ->> 'prefer');
      end if;
    end if;
  end if;

  -- A request without a token has only the claim role. The anonymous key may have no other claim.
  if admit_caller.role <> 'anon' or v_claims ? 'sub' then
    if jsonb_typeof(v_claims -> 'exp') is distinct from 'number' then
      perform app.fail(
        401, 'token_without_expiry', 'The token has no expiry.', 'Send a token with the claim exp.'
      );
    end if;
    if admit_caller.role = 'authenticated'
      and (v_claims -> 'aud' ? 'authenticated') is not true
    then
      perform app.fail(
        401,
        'token_audience_wrong',
        'The token is for another service.',
        'Sign in again: the claim aud of a user''s token is "authenticated".'
      );
    end if;
    if admit_caller.role = 'service_role' then
      return;
    end if;
    if v_claims ? 'sub' then
      v_key := 'user ' || app.require_user();
    end if;
  end if;

  -- app.caller_key reads the address in the same way.
  select
    s.requests_at_once,
    coalesce(v_key, 'address ' || app.read_address(v_headers ->> s.client_address_header))
  into v_slots, v_key
  from app.settings as s;
  if v_slots > 0
    and (v_key like 'address %/64' or not app.try_request_slot(v_key, 1))
  then
    perform app.take_request_slot(v_key, v_slots);
  end if;

  -- An assignment takes less time than perform.
  if admit_caller.role <> 'anon' then
    if v_method in ('PATCH', 'PUT', 'DELETE') then
      v_timeout := gate.shorten_write_time();
    end if;
  elsif v_method in ('GET', 'HEAD') then
    if current_setting('request.path', true) not like '/rpc/%' then
      if not has_any_column_privilege('anon', app.find_request_table(), 'select') then
        perform app.require_table_right('anon', v_method, null);
      end if;
    end if;
    -- 3 s is the usual timeout of the role.
    if current_setting('statement_timeout') = '3s' then
      v_timeout := set_config('statement_timeout', '1s', true);
      if v_slots > 0 and not app.try_request_slot('turn of ' || v_key, 1) then
        perform app.await_turn(v_key, v_slots);
      end if;
    else
      perform app.limit_read_time();
    end if;
  end if;
end
$$;

comment on function app.admit_caller(text) is
  'Refuses a body that is too large or of unknown length, a count by estimate, a token without '
  'expiry, for another service or of a deleted user, a write to a table without the right to it, '
  'and a request beyond those that the caller may run at the same time. service_role may run any '
  'number. Ends an anonymous read after a second, and a PATCH, PUT or DELETE of a user after two.';

create or replace function gate.admit_caller(role text)
  returns void
  language sql
  volatile
return app.admit_caller(role);

comment on function gate.admit_caller(text) is
  'Admits or refuses the caller of a request without an API key, for gate.pre_request.';

grant execute on function app.admit_caller(text) to anon, authenticated, service_role;
grant execute on function gate.admit_caller(text) to anon, authenticated, service_role;
