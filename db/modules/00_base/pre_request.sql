-- gate.pre_request
--
-- Called by   PostgREST, as the caller, before each request
-- Errors      PT400 count_not_exact, key_with_jwt, PT403 key_is_read_only, and those of
--             gate.require_body_length, gate.admit_caller and gate.find_api_key
-- Why         Only this function makes a request one of an API key's owner: the only
--             set_config('role', …), always to the same role, only from anon, and without text from
--             the client. db/tests/00_base/rules.test.sql proves it. Functions with the rights of
--             postgres decide the rest. Here, raise replaces app.fail, which would need USAGE on
--             schema app for every caller.
create or replace function gate.pre_request()
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_text text := current_setting('request.headers', true);
  v_method text := current_setting('request.method', true);
  v_claims jsonb;
begin
  -- Most requests have neither a body nor a key: strpos spares them the parsing of JSON. A body of
  -- the usual length needs no look with the rights of postgres.
  if v_method in ('POST', 'PUT', 'PATCH')
    or strpos(v_text, '"content-length"') > 0
    or strpos(v_text, '"transfer-encoding"') > 0
  then
    if strpos(v_text, '"transfer-encoding"') > 0
      or (v_text::json ->> 'content-length' ~ '^[0-9]{1,6}$') is not true
    then
      perform gate.require_body_length(v_text::json, v_method);
    end if;
  end if;

  -- The planner estimates from all rows, also from those that policies hide. PostgREST shows SQL
  -- only the last one of several Prefer headers: app.is_executed refuses what an earlier one asks.
  if strpos(v_text, '"prefer"') > 0
    and v_text::json ->> 'prefer' ~* 'planned|estimated'
    and current_user <> 'service_role'
  then
    raise exception using
      errcode = 'PT400',
      message = 'Estimated counts are refused, because they would count hidden rows.',
      detail = 'count_not_exact',
      hint = 'Send Prefer: count=exact.';
  end if;

  if strpos(v_text, '"x-api-key"') > 0 and v_text::json ->> 'x-api-key' is not null then
    v_claims := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
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

    v_claims := gate.find_api_key(v_text::json ->> 'x-api-key');

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
    return;
  end if;

  perform gate.admit_caller(current_user);

  if current_user = 'anon'
    and v_method in ('GET', 'HEAD')
    and current_setting('statement_timeout')::interval not between '1 ms' and '1 s'
  then
    -- If the called function has a timeout of its own, PostgREST has set it, and it stays. The
    -- query is not a part of the condition above, because a condition with a subquery is slow.
    perform set_config('statement_timeout', '1s', true)
    where not exists (
      select
      from pg_catalog.pg_proc as p
      where p.pronamespace = 'public'::regnamespace
        and p.proname = substr(current_setting('request.path', true), 6)
        and starts_with(current_setting('request.path', true), '/rpc/')
        and p.proconfig::text like '%statement_timeout=%'
    );
  end if;
end
$$;

comment on function gate.pre_request() is
  'Runs before each request. Refuses bodies that are too large or of unknown length, counts by '
  'estimate, tokens of deleted users, without expiry or for another service, and too many requests '
  'of one caller at the same time. Makes a request with x-api-key one of the key''s owner, whose '
  'answer no cache may store. Ends anonymous reads after a second.';

grant usage on schema gate to anon, authenticated, service_role;
grant execute on function gate.pre_request() to anon, authenticated, service_role;
