-- API keys: how a program acts as a user without that user's session. The key itself is stored nowhere.
set local lock_timeout = '5s';

create table public.api_keys (
  id uuid primary key default gen_random_uuid(),
  owner_id uuid not null references public.users (id) on delete cascade,
  name text not null,
  prefix text not null,
  scopes text[] not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz,
  replaced_by uuid references public.api_keys (id) on delete set null,
  constraint api_keys_name_is_short check (char_length(name) between 1 and 100),
  constraint api_keys_prefix_is_no_secret check (prefix ~ '^plk_[0-9a-f]{8}$'),
  constraint api_keys_scopes_are_known check (scopes in ('{read}', '{read,write}')),
  constraint api_keys_replaced_by_is_unique unique (replaced_by)
);
create index api_keys_owner_id_idx on public.api_keys (owner_id);
alter table public.api_keys enable row level security;
comment on table public.api_keys is
$$The caller's API keys; the keys themselves are stored nowhere.

The functions create_api_key, rotate_api_key and revoke_api_key write; a client that sends a key as x-api-key acts as its owner.$$;
comment on column public.api_keys.prefix is 'How the key begins: enough to tell it from others, and no secret.';
comment on column public.api_keys.scopes is '{read}, or {read,write}: who writes gets rows back, so there is no writing without reading.';
comment on column public.api_keys.expires_at is 'From then on it is refused. Null: never. A rotation brings it forward.';
comment on column public.api_keys.last_used_at is
  'To the minute, and a minute later; only of requests that could write: GET, HEAD and functions that only read run in '
  'read-only transactions.';
comment on column public.api_keys.revoked_at is 'Refused since then.';
comment on column public.api_keys.replaced_by is 'The key that rotate_api_key made in its place.';

-- Apart: clients may see every column of api_keys; and a request holds what it writes here until it ends, and must not
-- keep anybody from revoking its key.
create table app.api_key_secrets (
  key_id uuid primary key references public.api_keys (id) on delete cascade,
  secret_hash bytea not null,
  used_at timestamptz,
  is_published boolean not null default true,
  constraint api_key_secrets_secret_hash_is_sha256 check (octet_length(secret_hash) = 32),
  constraint api_key_secrets_secret_hash_is_unique unique (secret_hash)
);
create index api_key_secrets_unpublished_idx on app.api_key_secrets (key_id) where not is_published;
alter table app.api_key_secrets enable row level security;
comment on table app.api_key_secrets is 'What a key is known by, and when it was last used, on its way to api_keys.last_used_at.';
comment on column app.api_key_secrets.secret_hash is
  'SHA-256 of the whole key. A key has 256 random bits: no salt, nothing to stretch.';

create type public.new_api_key as (
  id uuid,
  name text,
  prefix text,
  scopes text[],
  expires_at timestamptz,
  key text
);
comment on type public.new_api_key is 'An API key as it was made. key is shown this once, and can never be read again.';
