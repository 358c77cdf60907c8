-- The studio: generations of images and analyses, their cache and files, and what notifications need to be read and deleted.
set local lock_timeout = '5s';

-- From origin 004. No client enters this schema.
create schema cache;
create table cache.kv_store (
  key text primary key,
  value jsonb not null,
  expires_at timestamptz not null
);
create index kv_store_expires_at_idx on cache.kv_store (expires_at);
alter table cache.kv_store enable row level security;

create table public.generations (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references public.users (id) on delete cascade,
  tool_id uuid references public.tools (id) on delete set null,
  tool_key text not null,
  kind text not null,
  status text not null default 'pending',
  tool_parameters jsonb not null,
  url text,
  result jsonb,
  error text,
  credits integer not null,
  is_favourite boolean not null default false,
  -- No foreign key: the run is deleted earlier than the generation.
  run_id bigint,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  completed_at timestamptz,
  constraint generations_kind_is_known check (kind in ('image', 'analysis')),
  constraint generations_status_is_known check (
    status in ('pending', 'completed', 'failed', 'cancelled')
  ),
  constraint generations_tool_parameters_are_an_object check (
    jsonb_typeof(tool_parameters) = 'object'
  ),
  constraint generations_credits_are_positive check (credits > 0),
  constraint generations_completed_has_time check (
    (status = 'completed') = (completed_at is not null)
  ),
  constraint generations_completed_has_output check (
    (status = 'completed' and kind = 'image') = (url is not null)
    and (status = 'completed' and kind = 'analysis') = (result is not null)
  ),
  constraint generations_failed_has_error check ((status = 'failed') = (error is not null))
)
-- Room for the completed version of a row on its page.
with (fillfactor = 80);
create index generations_user_id_idx on public.generations (user_id, created_at desc, id desc);
create index generations_favourite_idx on public.generations (user_id, created_at desc, id desc)
  where is_favourite;
create index generations_pending_idx on public.generations (user_id) where status = 'pending';
create index generations_tool_id_idx on public.generations (tool_id);
alter table public.generations enable row level security;

create table app.generation_details (
  generation_id uuid primary key references public.generations (id) on delete cascade,
  run_id bigint not null,
  cache_key text not null,
  prompt text,
  model text not null,
  result_schema jsonb,
  original_path text not null,
  original_etag text not null,
  original_size bigint not null,
  ended_at timestamptz,
  constraint generation_details_run_id_is_unique unique (run_id),
  constraint generation_details_ended_has_no_prompt check ((ended_at is null) = (prompt is not null))
)
with (fillfactor = 80);
create unique index generation_details_cache_key_idx on app.generation_details (cache_key)
  where ended_at is null;
alter table app.generation_details enable row level security;

create table app.generation_requests (
  -- Deleted with the generation, which is deleted with its user.
  user_id uuid not null,
  idempotency_key text not null,
  request_hash bytea not null,
  generation_id uuid not null references public.generations (id) on delete cascade,
  is_cached boolean not null,
  created_at timestamptz not null,
  primary key (user_id, idempotency_key),
  constraint generation_requests_idempotency_key_is_short check (
    char_length(idempotency_key) between 1 and 200
  )
);
create index generation_requests_generation_id_idx on app.generation_requests (generation_id);
create index generation_requests_created_at_idx on app.generation_requests (created_at);
alter table app.generation_requests enable row level security;

create table app.generation_files (
  file_id uuid primary key default gen_random_uuid(),
  -- No foreign keys: a file outlives its user and its generation.
  user_id uuid not null,
  generation_id uuid not null,
  created_at timestamptz not null,
  delete_at timestamptz,
  claim_id uuid,
  attempts integer not null default 0
);
create index generation_files_generation_id_idx on app.generation_files (generation_id);
create index generation_files_user_id_idx on app.generation_files (user_id);
create index generation_files_delete_at_idx on app.generation_files (delete_at)
  where delete_at is not null;
alter table app.generation_files enable row level security;

create table app.deleted_folders (
  user_id uuid not null,
  bucket_id text not null,
  deleted_at timestamptz not null,
  delete_at timestamptz not null,
  claim_id uuid,
  attempts integer not null default 0,
  primary key (user_id, bucket_id),
  constraint deleted_folders_bucket_id_is_known check (bucket_id in ('user_uploads', 'generations'))
);
create index deleted_folders_delete_at_idx on app.deleted_folders (delete_at);
alter table app.deleted_folders enable row level security;

-- The table is a few days old, so its indexes are built in a moment.
-- squawk-ignore require-concurrent-index-creation
create index notifications_created_at_idx on public.notifications (created_at);
-- squawk-ignore require-concurrent-index-creation
create index notifications_unread_idx on public.notifications (user_id) where read_at is null;

alter table app.settings
  add column storage_url text
    constraint settings_storage_url_is_http check (
      storage_url ~ '^https?://[^[:space:]?#]*[^[:space:]?#/]$' and octet_length(storage_url) <= 500
    ),
  add column original_max_bytes integer not null default 20971520
    constraint settings_original_max_bytes_is_positive check (original_max_bytes > 0),
  add column upload_retention interval not null default '30 days'
    constraint settings_upload_retention_is_long_enough check (upload_retention >= '1 hour'),
  add column cache_ttl interval not null default '24 hours'
    constraint settings_cache_ttl_is_possible check (
      cache_ttl >= '0' and cache_ttl <= '3650 days'
    ),
  add column notification_retention interval not null default '90 days'
    constraint settings_notification_retention_is_positive check (notification_retention > '0'),
  add column generations_open integer not null default 10
    constraint settings_generations_open_is_not_negative check (generations_open >= 0),
  add column generations_per_day integer not null default 500
    constraint settings_generations_per_day_is_positive check (generations_per_day > 0),
  add column generation_keys_per_day integer not null default 2000
    constraint settings_generation_keys_per_day_is_positive check (generation_keys_per_day > 0),
  add column generation_key_retention interval not null default '7 days'
    constraint settings_generation_key_retention_is_long_enough check (
      generation_key_retention >= '1 hour'
    ),
  add column generation_file_grace interval not null default '1 hour'
    constraint settings_generation_file_grace_is_long_enough check (
      generation_file_grace >= '10 minutes'
    );

-- The seed adds the types to new databases. Here, so that no submission meets a database that lacks them.
insert into public.job_types (
  name, description, has_handler, on_failure, max_failures, backoff, backoff_max, timeout,
  owner_running_limit, version, is_paid
)
select t.name, t.description, true, 'fail_run', 3, interval '2 s', interval '1 min', t.timeout, 10, 1, true
from (
  values
    ('process_image', 'Edits a photo with a tool of the studio.', interval '8 min'),
    ('analyze_face', 'Analyses a photo with a tool of the studio.', interval '6 min')
) as t (name, description, timeout)
where exists (select from public.job_types as k where k.name = 'write_outline')
on conflict on constraint job_types_pkey do nothing;

create type app.generation_output as (
  run_id bigint,
  generation_id uuid,
  cache_key text,
  file_id uuid,
  url text,
  result jsonb
);

create type app.notification as (user_id uuid, kind text, title text, body text, data jsonb);

create type app.generation_answer as (
  generation_id uuid,
  status text,
  is_cached boolean,
  url text,
  result jsonb
);
