-- Plinth Supabase shim: the rules of the local Auth server, part 1: settings, errors, checks.
--
-- Only scripts/local/auth calls these functions, as supabase_auth_admin, which owns them. On
-- Supabase the schema does not exist; Supabase Auth has these rules in its own code.
--
-- A function raises errcode PT<status> with GoTrue's error code as detail. If the refusal must be
-- stored, because a wrong code counts, the function returns {"error": {status, code, message}}.

set local client_min_messages = warning;

-- One shim file at a time in the whole cluster.
lock table pg_catalog.pg_authid in share update exclusive mode;

create schema if not exists local_auth authorization supabase_auth_admin;
comment on schema local_auth is 'Plinth Supabase shim: the local Auth server';

-- The plan of a slow statement would show its parameters, among them passwords.
do $$
begin
  if not exists (
    select
    from pg_catalog.pg_db_role_setting as settings
    cross join unnest(settings.setconfig) as config (line)
    where settings.setrole = 'supabase_auth_admin'::regrole
      and starts_with(config.line, 'auto_explain.log_min_duration=')
  ) then
    alter role supabase_auth_admin set auto_explain.log_min_duration = '-1';
  end if;
end
$$;

set local role supabase_auth_admin;

create table if not exists local_auth.settings (
  is_single boolean not null default true
    constraint settings_pkey primary key
    constraint settings_is_single check (is_single),
  bcrypt_cost integer not null default 10
    constraint settings_bcrypt_cost_is_valid check (bcrypt_cost between 4 and 31),
  password_min_length integer not null default 6,
  code_seconds integer not null default 3600,
  code_tries integer not null default 5,
  mails_per_hour integer not null default 30,
  token_seconds integer not null default 3600,
  refresh_grace_seconds integer not null default 10
);
comment on table local_auth.settings is
  'The limits of the local Auth server. One row. Change it with SQL.';
insert into local_auth.settings default values on conflict do nothing;

create table if not exists local_auth.code_tries (
  token_id uuid not null
    constraint code_tries_pkey primary key
    constraint code_tries_token_id_fkey references auth.one_time_tokens (id) on delete cascade,
  tries integer not null
);
comment on table local_auth.code_tries is
  'How many codes were tried against a one-time token. GoTrue has no such column.';

create table if not exists local_auth.mail_counts (
  address text not null constraint mail_counts_pkey primary key,
  began_at timestamptz not null,
  mails integer not null
);
create index if not exists mail_counts_began_at_idx on local_auth.mail_counts (began_at);
comment on table local_auth.mail_counts is
  'How many mails an address was sent, or would have been sent, in the hour since began_at. '
  'Addresses without a user count, too: a refusal must not tell who has an account.';

alter table local_auth.settings enable row level security;
alter table local_auth.code_tries enable row level security;
alter table local_auth.mail_counts enable row level security;

create or replace function local_auth.fail(status integer, code text, message text)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  raise exception using
    errcode = format('PT%s', fail.status),
    message = fail.message,
    detail = fail.code;
end
$$;
comment on function local_auth.fail(integer, text, text) is
  'Refuses the request and undoes what it wrote.';

create or replace function local_auth.refusal(status integer, code text, message text)
  returns jsonb
  language sql
  immutable
  set search_path = ''
return jsonb_build_object(
  'error', jsonb_build_object('status', status, 'code', code, 'message', message)
);
comment on function local_auth.refusal(integer, text, text) is
  'The answer that refuses a request and keeps what it wrote.';

create or replace function local_auth.is_uuid(value text)
  returns boolean
  language sql
  immutable
  set search_path = ''
return value ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$';
comment on function local_auth.is_uuid(text) is 'Whether a text is a uuid.';

create or replace function local_auth.require_email(email text)
  returns text
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_email text := lower(require_email.email);
begin
  if coalesce(v_email, '') = '' then
    perform local_auth.fail(400, 'validation_failed', 'An email address is required');
  end if;
  if octet_length(v_email) > 255 then
    perform local_auth.fail(400, 'validation_failed', 'An email address is too long');
  end if;
  if v_email !~ (
    '^[a-z0-9.!#$%&''*+/=?^_`{|}~-]+'
    '@[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$'
  ) then
    perform local_auth.fail(
      400, 'validation_failed', 'Unable to validate email address: invalid format'
    );
  end if;

  return v_email;
end
$$;
comment on function local_auth.require_email(text) is
  'Returns the address in lower case; 400 validation_failed if it is not one.';

create or replace function local_auth.require_password(password text)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_min_length integer := (select s.password_min_length from local_auth.settings as s);
begin
  -- bcrypt reads no more.
  if octet_length(require_password.password) > 72 then
    perform local_auth.fail(
      400, 'validation_failed', 'Password cannot be longer than 72 characters'
    );
  end if;
  if octet_length(coalesce(require_password.password, '')) < v_min_length then
    perform local_auth.fail(
      422,
      'weak_password',
      format('Password should be at least %s characters.', v_min_length)
    );
  end if;
end
$$;
comment on function local_auth.require_password(text) is
  '422 weak_password for a password that is too short; 400 for one that bcrypt would cut.';

create or replace function local_auth.hash_password(password text)
  returns text
  language sql
  volatile
  set search_path = ''
return extensions.crypt(
  password, extensions.gen_salt('bf', (select s.bcrypt_cost from local_auth.settings as s))
);
comment on function local_auth.hash_password(text) is
  'Hashes a password with bcrypt, as GoTrue does.';

create or replace function local_auth.matches_password(password_hash text, password text)
  returns boolean
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  -- pgcrypto knows the newest variant of bcrypt by its oldest name.
  v_hash text := regexp_replace(matches_password.password_hash, '^\$2[by]\$', '$2a$');
begin
  if v_hash is null or v_hash !~ '^\$2a\$' then
    -- Takes as long as a comparison, so the time does not tell who has an account.
    perform local_auth.hash_password(matches_password.password);
    return false;
  end if;

  return extensions.crypt(matches_password.password, v_hash) = v_hash;
end
$$;
comment on function local_auth.matches_password(text, text) is
  'Whether a password has this hash. Hashes also if the hash is null.';

create or replace function local_auth.count_mail(address text)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_mails integer;
begin
  delete from local_auth.mail_counts as c
  where c.address in (
    select old.address
    from local_auth.mail_counts as old
    where old.began_at < now() - interval '1 hour'
    limit 10
    for update skip locked
  );

  insert into local_auth.mail_counts as c (address, began_at, mails)
  values (count_mail.address, now(), 1)
  on conflict on constraint mail_counts_pkey do update
  set
    began_at = case
      when c.began_at < now() - interval '1 hour' then now()
      else c.began_at
    end,
    mails = case when c.began_at < now() - interval '1 hour' then 1 else c.mails + 1 end
  returning c.mails into v_mails;

  if v_mails > (select s.mails_per_hour from local_auth.settings as s) then
    perform local_auth.fail(429, 'over_email_send_rate_limit', 'email rate limit exceeded');
  end if;
end
$$;
comment on function local_auth.count_mail(text) is
  'Counts a mail to an address; 429 over_email_send_rate_limit above 30 in an hour.';

create or replace function local_auth.merge_data(data jsonb, changes jsonb)
  returns jsonb
  language sql
  immutable
  set search_path = ''
return coalesce(
  (
    select jsonb_object_agg(merged.key, merged.value)
    from jsonb_each(
      coalesce(nullif(data, 'null'), '{}') || coalesce(nullif(changes, 'null'), '{}')
    ) as merged
    where not (changes ? merged.key and merged.value = 'null') or changes is null
  ),
  '{}'
);
comment on function local_auth.merge_data(jsonb, jsonb) is
  'Sets keys of a user''s metadata. A key whose new value is null is removed.';
