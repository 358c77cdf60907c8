-- The doors, the roles behind them, and the few tables that every module stands on.
set local lock_timeout = '5s';

-- The title of the OpenAPI document, and what it says first.
comment on schema public is 'Plinth

The database is the API: tables under row level security, and functions. Each says here what it takes, what it gives, and its errors, which docs/errors.md explains. "Seed" numbers name the documents that Plinth was born from; docs/deviations.md says where it differs from them.';

-- Nothing is exposed by default: every grant in this project is written out beside its object.
-- (The revokes in schema public undo what hosted projects grant to the API roles by default.)
alter default privileges revoke execute on functions from public;
alter default privileges in schema public revoke all on tables from anon, authenticated, service_role;
alter default privileges in schema public revoke all on sequences from anon, authenticated, service_role;
alter default privileges in schema public revoke all on functions from anon, authenticated, service_role;

-- pg_temp is searched for types before pg_catalog, also under an empty search_path: whoever may create
-- temporary objects could shadow a type inside a definer function.
do $$
begin
  execute format('revoke temporary on database %I from public', current_database());
end
$$;

-- Roles belong to the cluster, so a second database finds them there. Passwords are the operator's.
do $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'worker') then
    create role worker login noinherit;
  end if;
  if not exists (select from pg_catalog.pg_roles where rolname = 'sidecar') then
    create role sidecar login noinherit;
  end if;
end
$$;

alter role worker set statement_timeout = '30s';
alter role worker set idle_in_transaction_session_timeout = '60s';
alter role sidecar set statement_timeout = '10s';
-- Who waits for a row of one asset must not keep others from theirs.
alter role sidecar set lock_timeout = '2s';
alter role sidecar set idle_in_transaction_session_timeout = '30s';

create schema if not exists app;
create schema worker;
create schema sidecar;
create schema gate;
comment on schema app is 'Internal tables and functions. Not exposed; no role but postgres has USAGE.';
comment on schema worker is 'Everything that role worker may do: the functions in here, and the queue.';
comment on schema sidecar is 'Everything that role sidecar may do: the functions in here.';
comment on schema gate is 'What PostgREST calls before each request, and nothing else.';
grant usage on schema worker to worker;
grant usage on schema sidecar to sidecar;

-- PostgREST sends the text of this type as it is. Of json it would make an array and take that apart again, for each
-- request: an eighth of the time that a 20 KB document takes.
create domain public."*/*" as json;
comment on domain public."*/*" is
  'A document that an RPC returns to be sent as it stands. The function sets Content-Type.';

alter table app.migrations enable row level security;
comment on table app.migrations is 'Migrations that have run; written by node-pg-migrate.';

create table app.applied_files (
  path text primary key,
  hash text not null,
  applied_at timestamptz not null default now()
);
alter table app.applied_files enable row level security;
comment on table app.applied_files is 'Files of db/modules as they were last applied, by npm run db:migrate.';

create table app.settings (
  id boolean primary key default true,
  share_base_url text not null default 'https://harpy.chat',
  share_writes_per_minute integer not null default 1200,
  api_key_writes_per_minute integer not null default 600,
  client_address_header text,
  asset_max_bytes integer not null default 20971520,
  asset_uploads_per_minute integer not null default 120,
  asset_grace interval not null default '2 hours',
  constraint settings_is_one_row check (id),
  constraint settings_share_base_url_is_http
    check (share_base_url ~ '^https?://[^[:space:]]*[^[:space:]/]$' and octet_length(share_base_url) <= 500),
  constraint settings_share_writes_per_minute_is_positive check (share_writes_per_minute > 0),
  constraint settings_api_key_writes_per_minute_is_positive check (api_key_writes_per_minute > 0),
  constraint settings_client_address_header_is_lower_case
    check (client_address_header ~ '^[a-z0-9-]{1,100}$'),
  constraint settings_asset_max_bytes_is_positive check (asset_max_bytes > 0),
  constraint settings_asset_uploads_per_minute_is_positive check (asset_uploads_per_minute > 0),
  -- An upload and what shows it are requests of their own: a client needs time between them.
  constraint settings_asset_grace_is_long_enough check (asset_grace >= '10 minutes')
);
alter table app.settings enable row level security;
comment on table app.settings is
  'What an operator may tune: one row, one typed column a setting. Change it with update app.settings set …';
comment on column app.settings.share_base_url is 'Where share links point; without a final slash.';
comment on column app.settings.share_writes_per_minute is
  'Writes per minute and caller (user, or client address) in sharing. A write counts one, and one more per 64 KiB; '
  'a row counts a KiB besides its content.';
comment on column app.settings.api_key_writes_per_minute is
  'Requests per minute and API key that may write. The limits of the key''s owner hold besides.';
comment on column app.settings.client_address_header is
  'The request header, in lower case, in which a proxy that clients cannot bypass puts their address. Null: all '
  'anonymous clients share one rate limit. x-forwarded-for serves where the nearest proxy appends to it.';
comment on column app.settings.asset_max_bytes is 'The largest file that can be uploaded, in bytes.';
comment on column app.settings.asset_uploads_per_minute is 'Uploads per minute and client address.';
comment on column app.settings.asset_grace is
  'How long a file that nothing shows is kept before it counts as orphaned, and once more before it is deleted.';
insert into app.settings default values;

-- Lost at a crash, and that is all right: a limit that starts afresh is still a limit.
create unlogged table app.rate_limits (
  bucket text not null,
  key text not null,
  spent_until timestamptz not null,
  constraint rate_limits_pkey primary key (bucket, key)
);
create index rate_limits_spent_until_idx on app.rate_limits (spent_until);
alter table app.rate_limits enable row level security;
comment on table app.rate_limits is
  'One row per limited caller: until when what was taken is spent (generic cell rate algorithm). See app.take_rate.';

create table app.schedules (
  name text primary key,
  cron text not null,
  function text not null unique,
  constraint schedules_name_is_kebab_case check (name ~ '^[a-z][a-z0-9-]{0,62}$'),
  -- What pg_cron and graphile-worker both read: *, */n, n, n-m, and lists of these.
  constraint schedules_cron_has_five_fields check (
    cardinality(string_to_array(cron, ' ')) = 5
    and cron ~ '^(\*(/\d{1,2})?|\d{1,2}(-\d{1,2})?)([ ,](\*(/\d{1,2})?|\d{1,2}(-\d{1,2})?))*$'
  ),
  constraint schedules_function_is_ours check (function ~ '^app\.[a-z][a-z0-9_]{0,62}$')
);
alter table app.schedules enable row level security;
comment on table app.schedules is
  'What runs by the clock. Registered in pg_cron where that is installed, run by the worker where it is not.';
comment on column app.schedules.cron is 'Minute, hour, day of month, month, day of week; UTC. An operator may change it.';
comment on column app.schedules.function is
  'A function without arguments that handles one batch and returns how many rows it handled; called until it returns 0.';
