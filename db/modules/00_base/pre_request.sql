-- gate.pre_request
--
-- Called by   PostgREST, as the caller, before each request
-- Errors      PT400 key_with_jwt, PT403 key_is_read_only, PT411 length_required,
--             PT413 request_too_large, and those of gate.find_api_key (10_accounts)
-- Why         A body is refused by its Content-Length before Postgres parses it, because a 20 MB
--             document would end in the caller's statement timeout, as a 500. Only this function
--             makes a request one of an API key's owner: the only set_config('role', …), always to
--             the same role, only from anon, and without text from the client.
--             db/tests/00_base/rules.test.sql proves it.
create or replace function gate.pre_request()
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_text text := current_setting('request.headers', true);
  v_claims jsonb;
begin
  -- Most requests have neither a body nor a key: strpos spares them the parsing of JSON.
  if strpos(v_text, '"content-length"') > 0 or strpos(v_text, '"transfer-encoding"') > 0 then
    -- raise instead of app.fail, which would need USAGE on schema app for every caller.
    if (v_text::json ->> 'content-length')::numeric > 6291456 then
      raise exception using
        errcode = 'PT413',
        message = 'The request body is larger than 6 MiB.',
        detail = 'request_too_large',
        hint = 'Send at most 6 MiB in one request.';
    end if;

    if v_text::json ->> 'transfer-encoding' is not null
      and v_text::json ->> 'content-length' is null
    then
      raise exception using
        errcode = 'PT411',
        message = 'The request has a body and no Content-Length header.',
        detail = 'length_required',
        hint = 'Send Content-Length instead of a chunked body.';
    end if;
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
      if current_setting('request.method') not in ('GET', 'HEAD', 'OPTIONS')
        and not starts_with(current_setting('request.path'), '/rpc/')
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
  end if;
end
$$;

comment on function gate.pre_request() is
  'Runs before each request. Refuses bodies over 6 MiB (413 request_too_large) or of unknown '
  'length (411 length_required), and makes a request with x-api-key one of the key''s owner, whose '
  'answer no cache may store.';

grant usage on schema gate to anon, authenticated, service_role;
grant execute on function gate.pre_request() to anon, authenticated, service_role;
