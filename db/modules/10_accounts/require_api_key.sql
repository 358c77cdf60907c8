-- sidecar.require_api_key
--
-- Called by   the sidecar, for an upload with x-api-key
-- Writes      the rows of app.find_api_key_by_hash
-- Errors      PT403 key_is_read_only, and those of app.find_api_key_by_hash
-- Why         gets the hash of the key, because Postgres may log the parameters of a call
create or replace function sidecar.require_api_key(secret_hash bytea)
  returns void
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_claims constant jsonb := app.find_api_key_by_hash(require_api_key.secret_hash);
begin
  if not v_claims -> 'api_key' -> 'scopes' ? 'write' then
    perform app.fail(
      403, 'key_is_read_only', 'This API key may only read.', 'Use a key with scope write.'
    );
  end if;
end
$$;

comment on function sidecar.require_api_key(bytea) is
$$Refuses an upload with an API key that does not work.

secret_hash: the SHA-256 of the key. 401: the key is unknown, revoked or expired, or its owner is
blocked. 403 key_is_read_only: the key may not write. 429 rate_limited: the key writes too much.$$;

grant execute on function sidecar.require_api_key(bytea) to sidecar;
