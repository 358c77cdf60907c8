-- gate.become_key_owner
--
-- Called by   gate.pre_request, as the caller, for a request whose headers contain x-api-key
-- Errors      PT400 key_with_jwt, PT403 key_is_read_only, and those of gate.require_body_length,
--             gate.require_exact_count, gate.find_api_key, gate.require_table_right and
--             gate.admit_caller
-- Why         Only this function makes a request one of an API key's owner: the only
--             set_config('role', …), always to the same role, only from anon, and without text from
--             the client. db/tests/00_base/rules.test.sql proves it. Functions with the rights of
--             postgres decide the rest. Here, raise replaces app.fail, which would need USAGE on
--             schema app for every caller.
create or replace function gate.become_key_owner()
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_headers json := current_setting('request.headers')::json;
  v_method text := current_setting('request.method', true);
  v_claims jsonb := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
begin
  -- The name may stand in the value of another header.
  if v_headers ->> 'x-api-key' is null then
    perform gate.admit_caller(current_user);
    return;
  end if;

  perform
    gate.require_body_length(v_headers, v_method),
    gate.require_exact_count(v_headers ->> 'prefer', current_user);

  -- As text, because auth.uid() fails for a sub that is not a UUID.
  if current_user <> 'anon'
    or nullif(current_setting('request.jwt.claim.sub', true), '') is not null
    or v_claims ->> 'sub' is not null
  then
    raise exception using
      errcode = 'PT400',
      message = 'The request has both an API key and a user''s JWT.',
      detail = 'key_with_jwt',
      hint = 'Send only one of them. The anonymous key may be sent with an API key.';
  end if;

  v_claims := gate.find_api_key(v_headers ->> 'x-api-key');

  if not v_claims -> 'api_key' -> 'scopes' ? 'write' then
    -- Not refused here, because a client may call a function that reads by POST. Nothing can turn
    -- this setting off again in this transaction.
    perform set_config('transaction_read_only', 'on', true);
    if v_method not in ('GET', 'HEAD', 'OPTIONS')
      and not starts_with(current_setting('request.path', true), '/rpc/')
    then
      raise exception using
        errcode = 'PT403',
        message = 'This API key may only read.',
        detail = 'key_is_read_only',
        hint = 'Use a key with scope write.';
    end if;
  elsif v_method not in ('GET', 'HEAD', 'OPTIONS')
    and not starts_with(current_setting('request.path', true), '/rpc/')
  then
    perform gate.require_table_right('authenticated', v_method, v_headers ->> 'prefer');
  end if;

  -- auth.uid() and similar functions prefer the settings of older versions of PostgREST.
  perform
    set_config('request.jwt.claim', '', true),
    set_config('request.jwt.claim.sub', '', true),
    set_config('request.jwt.claim.role', '', true),
    set_config('request.jwt.claim.email', '', true),
    set_config('request.jwt.claims', v_claims::text, true),
    -- The request has no Authorization header, so a shared cache could store the answer.
    set_config('response.headers', '[{"Cache-Control": "private, no-store"}]', true),
    set_config('role', 'authenticated', true);
  if v_method in ('PATCH', 'PUT', 'DELETE') then
    perform gate.shorten_write_time();
  end if;
end
$$;

comment on function gate.become_key_owner() is
  'Makes a request with an API key one of the key''s owner, whose answer no cache may store; or '
  'refuses the request.';

grant execute on function gate.become_key_owner() to anon, authenticated, service_role;
