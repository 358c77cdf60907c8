-- app.find_api_key_by_hash
--
-- Called by   app.find_api_key, sidecar.require_api_key
-- Writes      the rows of app.note_api_key_use, unless the transaction is read-only
-- Errors      PT401 api_key_expired, api_key_owner_blocked, api_key_revoked, api_key_unknown,
--             PT429 rate_limited, too_many_at_once
-- Locks       a slot of the owner's keys, before requests of the key wait for each other
-- Why         the keys of an owner have their slots together, because an owner can have 50 keys
create or replace function app.find_api_key_by_hash(secret_hash bytea)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_now timestamptz := app.now();
  v_key record;
begin
  select k.id, k.owner_id, k.scopes, k.revoked_at, k.expires_at, u.deleted_at, u.banned_until
  into v_key
  from app.api_key_secrets as s
  join public.api_keys as k on k.id = s.key_id
  join auth.users as u on u.id = k.owner_id
  where s.secret_hash = find_api_key_by_hash.secret_hash;

  if not found then
    perform app.fail(
      401,
      'api_key_unknown',
      'Unknown API key.',
      'Send one key, unchanged, as create_api_key returned it.'
    );
  end if;
  if v_key.revoked_at is not null then
    perform app.fail(
      401, 'api_key_revoked', 'This API key was revoked.', 'Use another key, or create a new one.'
    );
  end if;
  if v_key.expires_at <= v_now then
    perform app.fail(
      401,
      'api_key_expired',
      'This API key has expired.',
      'Use the key in replaced_by, or create a new one.'
    );
  end if;
  -- A ban ends sessions because they cannot be renewed. Keys are not renewed, so they are checked
  -- here.
  if v_key.deleted_at is not null or v_key.banned_until > v_now then
    perform app.fail(
      401,
      'api_key_owner_blocked',
      'The account that owns this API key is banned or marked as deleted.',
      'Ask the operator to reopen the account.'
    );
  end if;

  perform app.take_request_slot(
    'keys of ' || v_key.owner_id, (select s.requests_at_once from app.settings as s)
  );

  if current_setting('transaction_read_only') = 'off' then
    perform app.note_api_key_use(v_key.id, 'write' = any (v_key.scopes));
  end if;

  return jsonb_build_object(
    'sub', v_key.owner_id,
    'role', 'authenticated',
    'api_key', jsonb_build_object('id', v_key.id, 'scopes', v_key.scopes)
  );
end
$$;

comment on function app.find_api_key_by_hash(bytea) is
  'Returns the claims of the owner of the API key with this SHA-256: { sub, role, api_key: { id, '
  'scopes } }; 401 if the key does not work, 429 if too many requests of the owner''s keys run.';
