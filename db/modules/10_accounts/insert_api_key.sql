-- app.insert_api_key
--
-- Writes      api_keys, rate_limits
-- Errors      PT404 owner_not_found, PT409 too_many_api_keys, PT429 rate_limited,
--             PT503 profile_missing
-- Locks       the owner's row of rate_limits: a second insert for the same owner waits, and then
--             counts this key
create or replace function app.insert_api_key(
  owner_id uuid,
  name text,
  scopes text[],
  expires_at timestamptz
)
  returns public.new_api_key
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_now timestamptz := app.now();
  v_prefix text := 'plk_' || left(gen_random_uuid()::text, 8);
  -- SHA-256 turns 366 random bits into 256. gen_random_bytes would need an extension.
  v_secret bytea := sha256(
    uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
  );
  v_key text := v_prefix || '_' || translate(rtrim(encode(v_secret, 'base64'), '='), '+/', '-_');
  v_new public.new_api_key;
begin
  if not exists (select from public.users as u where u.id = insert_api_key.owner_id) then
    perform app.refuse_owner(insert_api_key.owner_id, 'Sign in with another account.');
  end if;
  perform app.take_rate('new_api_keys', insert_api_key.owner_id::text, 100, interval '1 hour');

  insert into public.api_keys as k (owner_id, name, prefix, scopes, created_at, expires_at)
  values (
    insert_api_key.owner_id,
    insert_api_key.name,
    v_prefix,
    insert_api_key.scopes,
    v_now,
    insert_api_key.expires_at
  )
  returning k.id, k.name, k.prefix, k.scopes, k.expires_at, v_key into v_new;
  insert into app.api_key_secrets (key_id, secret_hash)
  values (v_new.id, sha256(convert_to(v_key, 'UTF8')));

  if (
    select count(*)
    from public.api_keys as k
    where k.owner_id = insert_api_key.owner_id
      and k.revoked_at is null
      and (k.expires_at is null or k.expires_at > v_now)
  ) > 50 then
    perform app.fail(
      409,
      'too_many_api_keys',
      'A user can have at most 50 live API keys.',
      'Revoke a key that is not needed, or rotate one with grace_seconds 0.'
    );
  end if;

  return v_new;
end
$$;

comment on function app.insert_api_key(uuid, text, text[], timestamptz) is
  'Creates a key and returns its secret. An owner can have at most 50 live keys and create 100 an'
  ' hour.';
