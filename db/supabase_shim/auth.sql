-- Plinth Supabase shim: schema auth, its users and claims; on Supabase, Supabase Auth provides it.
--
-- Run whole, in one transaction, by the superuser `supabase_admin`, after roles.sql, again at each
-- start. As on Supabase, postgres reads, writes and references auth.users and puts triggers on it,
-- but does not own it, so may not alter it. To drop such a trigger works on Supabase alone (through
-- supautils); `create or replace trigger` works everywhere.

set local client_min_messages = warning;

-- One shim file at a time in the whole cluster.
lock table pg_catalog.pg_authid in share update exclusive mode;

create schema if not exists auth authorization supabase_auth_admin;
comment on schema auth is 'Plinth Supabase shim';
grant usage on schema auth to postgres, anon, authenticated, service_role;

-- Once only: repeating these statements would lock the table at each start.
do $$
begin
  if to_regclass('auth.users') is not null then
    return;
  end if;

  -- GoTrue's columns, in its order. GoTrue's indexes on the token columns are left out, because the
  -- local Auth server looks for tokens in one_time_tokens.
  create table auth.users (
    instance_id uuid,
    id uuid not null constraint users_pkey primary key,
    aud varchar(255),
    role varchar(255),
    email varchar(255),
    encrypted_password varchar(255),
    email_confirmed_at timestamptz,
    invited_at timestamptz,
    confirmation_token varchar(255),
    confirmation_sent_at timestamptz,
    recovery_token varchar(255),
    recovery_sent_at timestamptz,
    email_change_token_new varchar(255),
    email_change varchar(255),
    email_change_sent_at timestamptz,
    last_sign_in_at timestamptz,
    raw_app_meta_data jsonb,
    raw_user_meta_data jsonb,
    is_super_admin boolean,
    created_at timestamptz,
    updated_at timestamptz,
    phone text default null constraint users_phone_key unique,
    phone_confirmed_at timestamptz,
    phone_change text default '',
    phone_change_token varchar(255) default '',
    phone_change_sent_at timestamptz,
    confirmed_at timestamptz
      generated always as (least(email_confirmed_at, phone_confirmed_at)) stored,
    email_change_token_current varchar(255) default '',
    email_change_confirm_status smallint default 0
      constraint users_email_change_confirm_status_check
      check (email_change_confirm_status between 0 and 2),
    banned_until timestamptz,
    reauthentication_token varchar(255) default '',
    reauthentication_sent_at timestamptz,
    is_sso_user boolean not null default false,
    deleted_at timestamptz,
    is_anonymous boolean not null default false
  );

  -- Accounts from single sign-on may share an address.
  create unique index users_email_partial_key on auth.users (email) where is_sso_user = false;
  create index users_instance_id_idx on auth.users (instance_id);
  create index users_instance_id_email_idx on auth.users (instance_id, lower(email));
  create index users_is_anonymous_idx on auth.users (is_anonymous);

  alter table auth.users owner to supabase_auth_admin;
  alter table auth.users enable row level security;
end
$$;

-- The tables of the local Auth server, with GoTrue's columns. Once only, also in a database of an
-- earlier release, whose users get what the Auth server expects of a user.
do $$
begin
  if to_regclass('auth.identities') is not null then
    return;
  end if;

  create table auth.identities (
    provider_id text not null,
    user_id uuid not null
      constraint identities_user_id_fkey references auth.users (id) on delete cascade,
    identity_data jsonb not null,
    provider text not null,
    last_sign_in_at timestamptz,
    created_at timestamptz,
    updated_at timestamptz,
    email text generated always as (lower(identity_data ->> 'email')) stored,
    id uuid not null default gen_random_uuid() constraint identities_pkey primary key,
    constraint identities_provider_id_provider_unique unique (provider_id, provider)
  );
  create index identities_user_id_idx on auth.identities (user_id);
  create index identities_email_idx on auth.identities (email text_pattern_ops);

  create type auth.aal_level as enum ('aal1', 'aal2', 'aal3');

  create table auth.sessions (
    id uuid not null constraint sessions_pkey primary key,
    user_id uuid not null
      constraint sessions_user_id_fkey references auth.users (id) on delete cascade,
    created_at timestamptz,
    updated_at timestamptz,
    factor_id uuid,
    aal auth.aal_level,
    not_after timestamptz,
    refreshed_at timestamp,
    user_agent text,
    ip inet,
    tag text,
    oauth_client_id uuid,
    refresh_token_hmac_key text,
    refresh_token_counter bigint,
    scopes text constraint sessions_scopes_length check (char_length(scopes) <= 4096)
  );
  create index user_id_created_at_idx on auth.sessions (user_id, created_at);

  create table auth.mfa_amr_claims (
    session_id uuid not null
      constraint mfa_amr_claims_session_id_fkey references auth.sessions (id) on delete cascade,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    authentication_method text not null,
    id uuid not null constraint amr_id_pk primary key,
    constraint mfa_amr_claims_session_id_authentication_method_pkey
      unique (session_id, authentication_method)
  );

  create table auth.refresh_tokens (
    instance_id uuid,
    id bigserial not null constraint refresh_tokens_pkey primary key,
    token varchar(255) constraint refresh_tokens_token_unique unique,
    user_id varchar(255),
    revoked boolean,
    created_at timestamptz,
    updated_at timestamptz,
    parent varchar(255),
    session_id uuid
      constraint refresh_tokens_session_id_fkey references auth.sessions (id) on delete cascade
  );
  create index refresh_tokens_session_id_revoked_idx on auth.refresh_tokens (session_id, revoked);

  create type auth.one_time_token_type as enum (
    'confirmation_token',
    'reauthentication_token',
    'recovery_token',
    'email_change_token_new',
    'email_change_token_current',
    'phone_change_token'
  );

  create table auth.one_time_tokens (
    id uuid not null constraint one_time_tokens_pkey primary key,
    user_id uuid not null
      constraint one_time_tokens_user_id_fkey references auth.users (id) on delete cascade,
    token_type auth.one_time_token_type not null,
    token_hash text not null
      constraint one_time_tokens_token_hash_check check (char_length(token_hash) > 0),
    relates_to text not null,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now()
  );
  create index one_time_tokens_token_hash_hash_idx on auth.one_time_tokens using hash (token_hash);
  create index one_time_tokens_relates_to_hash_idx on auth.one_time_tokens using hash (relates_to);
  create unique index one_time_tokens_user_id_token_type_key
    on auth.one_time_tokens (user_id, token_type);

  alter table auth.identities owner to supabase_auth_admin;
  alter type auth.aal_level owner to supabase_auth_admin;
  alter table auth.sessions owner to supabase_auth_admin;
  alter table auth.mfa_amr_claims owner to supabase_auth_admin;
  alter table auth.refresh_tokens owner to supabase_auth_admin;
  alter type auth.one_time_token_type owner to supabase_auth_admin;
  alter table auth.one_time_tokens owner to supabase_auth_admin;
  alter table auth.identities enable row level security;
  alter table auth.sessions enable row level security;
  alter table auth.mfa_amr_claims enable row level security;
  alter table auth.refresh_tokens enable row level security;
  alter table auth.one_time_tokens enable row level security;

  update auth.users
  set
    instance_id = coalesce(instance_id, '00000000-0000-0000-0000-000000000000'),
    aud = coalesce(aud, 'authenticated'),
    role = coalesce(role, 'authenticated'),
    encrypted_password = coalesce(encrypted_password, ''),
    confirmation_token = coalesce(confirmation_token, ''),
    recovery_token = coalesce(recovery_token, ''),
    email_change_token_new = coalesce(email_change_token_new, ''),
    email_change = coalesce(email_change, ''),
    raw_app_meta_data = coalesce(
      raw_app_meta_data, '{"provider": "email", "providers": ["email"]}'
    ),
    raw_user_meta_data = coalesce(raw_user_meta_data, '{}'),
    created_at = coalesce(created_at, now()),
    updated_at = coalesce(updated_at, now());

  insert into auth.identities (
    provider_id, user_id, identity_data, provider, created_at, updated_at
  )
  select
    u.id::text,
    u.id,
    jsonb_build_object(
      'sub', u.id,
      'email', u.email,
      'email_verified', u.email_confirmed_at is not null,
      'phone_verified', false
    ),
    'email',
    u.created_at,
    u.updated_at
  from auth.users as u
  where u.email is not null and not u.is_sso_user;
end
$$;

grant all on
  auth.users,
  auth.identities,
  auth.sessions,
  auth.mfa_amr_claims,
  auth.refresh_tokens,
  auth.one_time_tokens
to postgres;
grant select on
  auth.users,
  auth.identities,
  auth.sessions,
  auth.mfa_amr_claims,
  auth.refresh_tokens,
  auth.one_time_tokens
to postgres with grant option;

-- The local Auth server hashes passwords with extensions.crypt.
grant usage on schema extensions to supabase_auth_admin;

-- No `set search_path` in these four, as in GoTrue: Postgres inlines them then.
create or replace function auth.uid()
  returns uuid
  language sql
  stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.sub', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
  )::uuid
$$;

create or replace function auth.role()
  returns text
  language sql
  stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.role', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'
  )
$$;

create or replace function auth.email()
  returns text
  language sql
  stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.email', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email'
  )
$$;

create or replace function auth.jwt()
  returns jsonb
  language sql
  stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')
  )::jsonb
$$;

alter function auth.uid() owner to supabase_auth_admin;
alter function auth.role() owner to supabase_auth_admin;
alter function auth.email() owner to supabase_auth_admin;
alter function auth.jwt() owner to supabase_auth_admin;

grant execute on function auth.uid(), auth.role(), auth.email(), auth.jwt()
  to postgres, anon, authenticated, service_role;
