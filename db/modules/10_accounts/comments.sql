-- Comments on the tables, columns and types of this module.

comment on column app.settings.api_key_writes_per_minute is
  'How many requests per minute an API key that may write can make. The limits of its owner also '
  'apply. Limit per API key: 429 rate_limited.';

comment on table public.plans is
  'The plans that a user can have.';
comment on column public.plans.bytes_stored is
  'How many bytes a user of the plan may store: documents of dramas, and their images and '
  'videos. Limit per user: 409 storage_used_up.';
comment on table public.users is
  'The profile of a signed-in user. Created and deleted with the auth user.';
comment on column public.users.credits is
  'The credits that the user can spend.';

comment on table public.api_keys is
$$The caller's API keys, without their secrets.

create_api_key, rotate_api_key and revoke_api_key write this table. A client that sends a key as
x-api-key acts as the key's owner.$$;
comment on column public.api_keys.prefix is
  'The beginning of the key, to recognize the key by. Not secret.';
comment on column public.api_keys.scopes is
  '{read}, or {read,write}: a write returns rows, so write includes read.';
comment on column public.api_keys.expires_at is
  'The time from which the key is refused. Null: the key does not expire. A rotation sets an '
  'earlier time.';
comment on column public.api_keys.last_used_at is
  'The last use, to the minute and up to a minute late. Only requests that can write count: GET, '
  'HEAD and functions that only read run in read-only transactions.';
comment on column public.api_keys.revoked_at is
  'The time from which the key is refused because it was revoked.';
comment on column public.api_keys.replaced_by is
  'The key that rotate_api_key created to replace this key.';

comment on table app.api_key_secrets is
  'The hash of each API key, and its last use until app.publish_api_key_uses copies it to '
  'api_keys.last_used_at.';
comment on column app.api_key_secrets.secret_hash is
  'SHA-256 of the whole key. A key has 256 random bits, so the hash needs neither salt nor '
  'stretching.';

comment on type public.new_api_key is
  'A new API key. key is returned once and cannot be read again.';
