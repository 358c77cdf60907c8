-- app.create_api_key, public.create_api_key
--
-- Called by   clients
-- Writes      api_keys, rate_limits
-- Errors      PT401 not_signed_in, PT403 api_key_not_allowed, PT409 too_many_api_keys,
--             PT422 api_key_invalid, PT429 rate_limited
create or replace function app.create_api_key(name text, scopes text[], expires_at timestamptz)
  returns public.new_api_key
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_owner_id uuid := app.require_session();
  -- Sorted, without duplicates; write includes read.
  v_scopes text[] := array(
    select s.scope from unnest(create_api_key.scopes) as s (scope)
    union
    select 'read' where 'write' = any (create_api_key.scopes)
    order by 1
  );
begin
  perform app.require_writing();
  -- The constraints of the table refuse the same values, but their errors show the row.
  if create_api_key.name is null or char_length(create_api_key.name) not between 1 and 100 then
    perform app.fail(
      422,
      'api_key_invalid',
      'name must have 1 to 100 characters.',
      'Name the program that uses the key, in 100 characters at most.'
    );
  end if;
  if v_scopes not in ('{read}', '{read,write}') then
    perform app.fail(
      422,
      'api_key_invalid',
      'scopes must be read, or read and write.',
      'Use ["read"] or ["read", "write"].'
    );
  end if;
  if create_api_key.expires_at <= app.now() then
    perform app.fail(
      422,
      'api_key_invalid',
      'expires_at must be in the future.',
      'Leave expires_at out for a key that does not expire.'
    );
  end if;

  return app.insert_api_key(
    v_owner_id, create_api_key.name, v_scopes, nullif(create_api_key.expires_at, 'infinity')
  );
end
$$;

comment on function app.create_api_key(text, text[], timestamptz) is
  'Creates an API key; see public.create_api_key.';

create or replace function public.create_api_key(
  name text,
  scopes text[] default '{read}',
  expires_at timestamptz default null
)
  returns public.new_api_key
  language sql
  volatile
  set search_path = ''
return app.create_api_key(name, scopes, expires_at);

comment on function public.create_api_key(text, text[], timestamptz) is
$$Creates an API key for the caller and returns its secret.

name: 1 to 100 characters, for people. scopes: ["read"] (default), or ["read", "write"]; write
includes read.
expires_at: a time in the future; null (default): the key does not expire.
Returns { id, name, prefix, scopes, expires_at, key }. Store key yourself: Plinth keeps only its
hash, so key cannot be read again. A request with the header x-api-key: <key> is a request of the
caller; the anonymous key may be sent with it.
401 not_signed_in. 403 api_key_not_allowed: an API key cannot create keys. 409 too_many_api_keys: a
user can have at most 50 live keys. 422 api_key_invalid: name, scopes or expires_at. 429
rate_limited: a user can create 100 keys an hour.$$;

grant execute on function app.create_api_key(text, text[], timestamptz) to anon, authenticated;
grant execute on function public.create_api_key(text, text[], timestamptz) to anon, authenticated;
