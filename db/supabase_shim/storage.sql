-- Plinth Supabase shim: schema storage, as SQL sees it; on Supabase, Supabase Storage provides it.
--
-- Run whole, in one transaction, by the superuser `supabase_admin`, after roles.sql, again at each
-- start. Holds no bytes, those are in an S3 server: only what policies and functions refer to.

set local client_min_messages = warning;

-- One shim file at a time in the whole cluster.
lock table pg_catalog.pg_authid in share update exclusive mode;

create schema if not exists storage authorization supabase_storage_admin;
comment on schema storage is 'Plinth Supabase shim';
grant usage on schema storage to postgres, anon, authenticated, service_role;

-- All segments of the path but the last.
create or replace function storage.foldername(name text)
  returns text[]
  language sql
  immutable
as $$
  select (string_to_array(foldername.name, '/'))[
    1 : array_length(string_to_array(foldername.name, '/'), 1) - 1
  ]
$$;

-- The last segment of the path.
create or replace function storage.filename(name text)
  returns text
  language sql
  immutable
as $$
  select (string_to_array(filename.name, '/'))[
    array_length(string_to_array(filename.name, '/'), 1)
  ]
$$;

-- The text after the last dot of the file name; the whole name if it has no dot.
create or replace function storage.extension(name text)
  returns text
  language sql
  immutable
as $$
  select reverse(split_part(reverse(storage.filename(extension.name)), '.', 1))
$$;

-- A row deleted by SQL leaves its file behind. The Storage API sets the flag and deletes both.
create or replace function storage.protect_delete()
  returns trigger
  language plpgsql
as $$
begin
  if coalesce(current_setting('storage.allow_delete_query', true), '') <> 'true' then
    raise exception using
      errcode = '42501',
      message = 'Direct deletion from storage tables is not allowed. Use the Storage API instead.',
      hint = 'This prevents accidental data loss from orphaned objects.';
  end if;

  return null;
end
$$;

alter function storage.foldername(text) owner to supabase_storage_admin;
alter function storage.filename(text) owner to supabase_storage_admin;
alter function storage.extension(text) owner to supabase_storage_admin;
alter function storage.protect_delete() owner to supabase_storage_admin;

grant execute on function storage.foldername(text), storage.filename(text), storage.extension(text)
  to postgres, anon, authenticated, service_role;

-- Once only: repeating these statements would lock the tables at each start.
do $$
begin
  if to_regclass('storage.objects') is not null then
    return;
  end if;

  create table storage.buckets (
    id text not null constraint buckets_pkey primary key,
    name text not null,
    owner uuid,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    public boolean default false,
    avif_autodetection boolean default false,
    file_size_limit bigint,
    allowed_mime_types text[],
    owner_id text
  );

  create unique index bname on storage.buckets (name);

  create table storage.objects (
    id uuid not null default gen_random_uuid() constraint objects_pkey primary key,
    bucket_id text constraint "objects_bucketId_fkey" references storage.buckets (id),
    name text,
    owner uuid,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    last_accessed_at timestamptz default now(),
    metadata jsonb,
    path_tokens text[] generated always as (string_to_array(name, '/')) stored,
    version text,
    owner_id text,
    user_metadata jsonb
  );

  create unique index bucketid_objname on storage.objects (bucket_id, name);
  create index name_prefix_search on storage.objects (name text_pattern_ops);

  create trigger protect_buckets_delete
    before delete on storage.buckets
    for each statement
    execute function storage.protect_delete();

  create trigger protect_objects_delete
    before delete on storage.objects
    for each statement
    execute function storage.protect_delete();

  alter table storage.buckets owner to supabase_storage_admin;
  alter table storage.objects owner to supabase_storage_admin;
  alter table storage.buckets enable row level security;
  alter table storage.objects enable row level security;
end
$$;

-- Row level security decides. (Supabase grants truncate as well, which no policy restrains.)
grant select, insert, update, delete on storage.buckets, storage.objects
  to anon, authenticated, service_role;
grant all on storage.buckets, storage.objects to postgres with grant option;

-- Only a table's owner may make policies. On Supabase, postgres is not a member of the owner; the
-- extension supautils lets postgres manage policies on these tables (supautils.policy_grants). On
-- plain Postgres, only membership allows this, and membership allows more: altering these tables,
-- commenting on their policies, creating objects in this schema. Supabase refuses all three.
do $$
begin
  if pg_has_role('postgres', 'supabase_storage_admin', 'usage') then
    return;
  end if;

  if current_setting('server_version_num')::integer >= 160000 then
    -- Ownership checks ask for inherit. Without set, postgres cannot become this role.
    execute 'grant supabase_storage_admin to postgres with inherit true, set false';
  else
    -- Postgres 15 has no such options: the role attribute inherit of postgres decides.
    grant supabase_storage_admin to postgres;
  end if;
end
$$;
