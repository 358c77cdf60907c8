-- gate.pre_request
--
-- Called by   PostgREST, as the caller, before each request
-- Errors      PT400 key_with_jwt, PT403 key_is_read_only, PT411 length_required, PT413 request_too_large, and those of
--             gate.find_api_key (10_accounts)
-- Why         a body is refused by its announced size before Postgres parses it: a 20 MB document would die at the
--             caller's statement timeout, as a 500.
--             A key's owner is taken on here and nowhere else: the only set_config('role', …), always the same role,
--             from anon only, and no text of the client's gets into it. db/tests/00_base/rules.test.sql proves it.
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
  -- Most requests have neither a body nor a key: they are not worth reading JSON for.
  if strpos(v_text, '"content-length"') > 0 or strpos(v_text, '"transfer-encoding"') > 0 then
    -- Written out: app.fail would need USAGE on schema app for every caller.
    if (v_text::json ->> 'content-length')::numeric > 6291456 then
      raise exception using
        errcode = 'PT413',
        message = 'A request body may have 6 MiB at most.',
        detail = 'request_too_large',
        hint = 'Send less at once.';
    end if;

    if v_text::json ->> 'transfer-encoding' is not null and v_text::json ->> 'content-length' is null then
      raise exception using
        errcode = 'PT411',
        message = 'A request with a body must say its length.',
        detail = 'length_required',
        hint = 'Send Content-Length instead of a chunked body.';
    end if;
  end if;

  if strpos(v_text, '"x-api-key"') > 0 and v_text::json ->> 'x-api-key' is not null then
    v_claims := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
    -- As text: auth.uid() would fail for a sub that is no UUID.
    if current_user <> 'anon'
      or coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''), v_claims ->> 'sub') is not null
    then
      raise exception using
        errcode = 'PT400',
        message = 'An API key and a user''s JWT came together.',
        detail = 'key_with_jwt',
        hint = 'Send one of them; besides a key, the anonymous key may be sent.';
    end if;

    v_claims := gate.find_api_key(v_text::json ->> 'x-api-key');

    if not v_claims -> 'api_key' -> 'scopes' ? 'write' then
      -- A function may be called by POST to read. Postgres lets nothing turn this off again in this transaction.
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

    -- auth.uid() and its like read what older versions of PostgREST set first.
    perform
      set_config('request.jwt.claim', '', true),
      set_config('request.jwt.claim.sub', '', true),
      set_config('request.jwt.claim.role', '', true),
      set_config('request.jwt.claim.email', '', true),
      set_config('request.jwt.claims', v_claims::text, true),
      set_config('role', 'authenticated', true);
  end if;
end
$$;

comment on function gate.pre_request() is
  'Runs before each request; refuses bodies that are over 6 MiB (413 request_too_large) or do not say (411); with '
  'x-api-key makes the request that of the key''s owner.';

grant usage on schema gate to anon, authenticated, service_role;
grant execute on function gate.pre_request() to anon, authenticated, service_role;
