-- Plinth Supabase shim: schema storage, as SQL sees it; on Supabase, Supabase Storage provides it.
--
-- Run whole, in one transaction, by the superuser `supabase_admin`, after roles.sql, again at each
-- start; not once the migrations of the real Storage have run. Holds no bytes. The local Storage
-- server (scripts/local/storage) has them; it works on these tables as the real one does.

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

-- Returns the operation that the Storage server runs, for policies that allow some only.
create or replace function storage.operation()
  returns text
  language sql
  stable
as $$
  select current_setting('storage.operation', true)
$$;

create or replace function storage.allow_any_operation(expected_operations text[])
  returns boolean
  language sql
  stable
as $$
  select coalesce(
    regexp_replace(storage.operation(), '^storage\.', '') in (
      select regexp_replace(wanted.name, '^storage\.', '')
      from unnest(allow_any_operation.expected_operations) as wanted (name)
      where wanted.name <> ''
    ),
    false
  )
$$;

create or replace function storage.allow_only_operation(expected_operation text)
  returns boolean
  language sql
  stable
as $$
  select storage.allow_any_operation(array[allow_only_operation.expected_operation])
$$;

create or replace function storage.update_updated_at_column()
  returns trigger
  language plpgsql
as $$
begin
  new.updated_at = now();
  return new;
end
$$;

-- Lists a folder: files and folders whose path begins with prefix || search, letters of either
-- case. Names are relative to `prefix`. `levels` does nothing, as in the real one.
--
-- Why a cursor: rows come from the index in order, and the function stops at the limit. After some
-- files of one folder it jumps over the others; not where policies apply, because Postgres would
-- ask them again for each row before the place to which it jumps.
create or replace function storage.search(
  prefix text,
  bucketname text,
  limits integer default 100,
  levels integer default 1,
  offsets integer default 0,
  search text default '',
  sortcolumn text default 'name',
  sortorder text default 'asc'
)
  returns table (
    name text,
    id uuid,
    updated_at timestamptz,
    created_at timestamptz,
    last_accessed_at timestamptz,
    metadata jsonb
  )
  language plpgsql
  stable
as $$
declare
  v_limit integer := least(coalesce(search.limits, 100), 1500);
  v_wanted text := lower(concat(search.prefix, search.search));
  v_length integer := length(v_wanted);
  -- The first character of the names that are returned.
  v_start integer := length(coalesce(search.prefix, '')) + 1;
  -- The first text after all that begin with v_wanted.
  v_end text := left(v_wanted, -1) || chr(ascii(right(v_wanted, 1)) + 1);
  v_is_ascending boolean := lower(coalesce(search.sortorder, 'asc')) <> 'desc';
  v_order text := case when v_is_ascending then 'asc' else 'desc' end;
  v_can_jump boolean := not row_security_active('storage.objects');
  v_query text;
  v_cursor refcursor;
  v_object record;
  v_slash integer;
  v_folder text;
  v_last_folder text;
  -- How many more files of the folder are read before the function jumps over the others.
  v_patience integer := 0;
  v_seek text := case when v_is_ascending then v_wanted when v_wanted <> '' then v_end end;
  v_skip integer := greatest(coalesce(search.offsets, 0), 0);
  v_count integer := 0;
begin
  if search.sortcolumn in ('updated_at', 'created_at', 'last_accessed_at') then
    return query execute format(
      $query$
        with found as (
          select
            o.*,
            nullif(strpos(substr(o.name, $2 + 1), '/'), 0) as slash
          from storage.objects as o
          where o.bucket_id = $1
            and lower(o.name) collate "C" >= $3
            and ($3 = '' or lower(o.name) collate "C" < $4)
        ),
        entries as (
          select distinct on (lower(substr(left(found.name, $2 + found.slash - 1), $5)))
            substr(left(found.name, $2 + found.slash - 1), $5) as name,
            null::uuid as id, null::timestamptz as updated_at, null::timestamptz as created_at,
            null::timestamptz as last_accessed_at, null::jsonb as metadata
          from found
          where found.slash is not null
          union all
          select
            substr(found.name, $5), found.id, found.updated_at, found.created_at,
            found.last_accessed_at, found.metadata
          from found
          where found.slash is null
        )
        select e.*
        from entries as e
        order by e.id is not null, e.%1$I %2$s, e.name %2$s
        limit $6
        offset $7
      $query$,
      search.sortcolumn,
      v_order
    )
    using search.bucketname, v_length, v_wanted, v_end, v_start, v_limit, v_skip;
    return;
  end if;

  v_query := format(
    $query$
      select o.name, o.id, o.updated_at, o.created_at, o.last_accessed_at, o.metadata
      from storage.objects as o
      where o.bucket_id = $1
        and ($2 is null or lower(o.name) collate "C" %s $2)
        and ($3 = '' or (lower(o.name) collate "C" >= $3 and lower(o.name) collate "C" < $4))
      order by lower(o.name) collate "C" %s
    $query$,
    case when v_is_ascending then '>=' else '<' end,
    v_order
  );

  <<jumps>>
  while v_count < v_limit loop
    open v_cursor for execute v_query using search.bucketname, v_seek, v_wanted, v_end;

    loop
      fetch v_cursor into v_object;
      exit jumps when not found or v_count >= v_limit;
      v_slash := strpos(substr(v_object.name, v_length + 1), '/');

      if v_slash = 0 then
        if v_skip > 0 then
          v_skip := v_skip - 1;
          continue;
        end if;

        name := substr(v_object.name, v_start);
        id := v_object.id;
        updated_at := v_object.updated_at;
        created_at := v_object.created_at;
        last_accessed_at := v_object.last_accessed_at;
        metadata := v_object.metadata;
        v_count := v_count + 1;
        return next;
        continue;
      end if;

      v_folder := lower(left(v_object.name, v_length + v_slash - 1));

      if v_folder = v_last_folder then
        v_patience := v_patience - 1;
        continue when v_patience > 0 or not v_can_jump;
        -- "0" follows "/".
        v_seek := v_folder || case when v_is_ascending then '0' else '/' end;
        close v_cursor;
        continue jumps;
      end if;

      v_last_folder := v_folder;
      v_patience := 50;

      if v_skip > 0 then
        v_skip := v_skip - 1;
      else
        name := substr(left(v_object.name, v_length + v_slash - 1), v_start);
        id := null;
        updated_at := null;
        created_at := null;
        last_accessed_at := null;
        metadata := null;
        v_count := v_count + 1;
        return next;
      end if;
    end loop;
  end loop;
end
$$;

-- Lists the files and folders whose path begins with `prefix`, in either order, after the path
-- `start_after`; with another order, after the time `sort_column_after`, too. A folder in
-- `start_after` ends with "/". `key` is the segment of the path at `levels`; a folder has no id.
create or replace function storage.search_v2(
  prefix text,
  bucket_name text,
  limits integer default 100,
  levels integer default 1,
  start_after text default '',
  sort_order text default 'asc',
  sort_column text default 'name',
  sort_column_after text default ''
)
  returns table (
    key text,
    name text,
    id uuid,
    updated_at timestamptz,
    created_at timestamptz,
    last_accessed_at timestamptz,
    metadata jsonb
  )
  language plpgsql
  stable
as $$
declare
  v_limit integer := least(coalesce(search_v2.limits, 100), 1500);
  v_prefix text := coalesce(search_v2.prefix, '');
  v_length integer := length(v_prefix);
  v_end text := left(v_prefix, -1) || chr(ascii(right(v_prefix, 1)) + 1);
  v_after text := coalesce(search_v2.start_after, '');
  v_is_ascending boolean := lower(coalesce(search_v2.sort_order, 'asc')) <> 'desc';
  v_order text := case when v_is_ascending then 'asc' else 'desc' end;
  v_query text;
  v_cursor refcursor;
  v_object record;
  v_slash integer;
  v_folder text;
  -- How many more files of the folder are read before the function jumps over the others.
  v_patience integer := 0;
  v_seek text;
  v_count integer := 0;
begin
  if search_v2.sort_column in ('updated_at', 'created_at') then
    return query execute format(
      $query$
        with found as (
          select o.*, nullif(strpos(substr(o.name, $2 + 1), '/'), 0) as slash
          from storage.objects as o
          where o.bucket_id = $1
            and o.name collate "C" >= $3
            and ($3 = '' or o.name collate "C" < $4)
        ),
        entries as (
          -- A folder is as old as its oldest file.
          select
            left(found.name, $2 + found.slash - 1) as name, null::uuid as id,
            min(found.created_at) as updated_at, min(found.created_at) as created_at,
            null::timestamptz as last_accessed_at, null::jsonb as metadata
          from found
          where found.slash is not null
          group by left(found.name, $2 + found.slash - 1)
          union all
          select
            found.name, found.id, found.updated_at, found.created_at, found.last_accessed_at,
            found.metadata
          from found
          where found.slash is null
        )
        select
          split_part(e.name, '/', $5), e.name, e.id, e.updated_at, e.created_at,
          e.last_accessed_at, e.metadata
        from entries as e
        where $6 = ''
          or (date_trunc('milliseconds', e.%1$I), e.name collate "C")
            %2$s (coalesce(nullif($7, '')::timestamptz, 'epoch'), rtrim($6, '/'))
        order by date_trunc('milliseconds', e.%1$I) %3$s, e.name collate "C" %3$s
        limit $8
      $query$,
      search_v2.sort_column,
      case when v_is_ascending then '>' else '<' end,
      v_order
    )
    using
      search_v2.bucket_name, v_length, v_prefix, v_end, search_v2.levels, v_after,
      search_v2.sort_column_after, v_limit;
    return;
  end if;

  -- "0" follows "/", and no text is between a key and the key with chr(1) behind it.
  v_seek := case
    when v_after = '' and v_is_ascending then v_prefix
    when v_after = '' then case when v_prefix <> '' then v_end end
    when not v_is_ascending then v_after
    when v_after like '%/' then rtrim(v_after, '/') || '0'
    else v_after || chr(1)
  end;

  v_query := format(
    $query$
      select o.name, o.id, o.updated_at, o.created_at, o.last_accessed_at, o.metadata
      from storage.objects as o
      where o.bucket_id = $1
        and ($2 is null or o.name collate "C" %s $2)
        and ($3 = '' or (o.name collate "C" >= $3 and o.name collate "C" < $4))
      order by o.name collate "C" %s
    $query$,
    case when v_is_ascending then '>=' else '<' end,
    v_order
  );

  <<jumps>>
  while v_count < v_limit loop
    open v_cursor for execute v_query using search_v2.bucket_name, v_seek, v_prefix, v_end;

    loop
      fetch v_cursor into v_object;
      exit jumps when not found or v_count >= v_limit;
      v_slash := strpos(substr(v_object.name, v_length + 1), '/');

      if v_slash = 0 then
        key := split_part(v_object.name, '/', search_v2.levels);
        name := v_object.name;
        id := v_object.id;
        updated_at := v_object.updated_at;
        created_at := v_object.created_at;
        last_accessed_at := v_object.last_accessed_at;
        metadata := v_object.metadata;
        v_count := v_count + 1;
        return next;
        continue;
      end if;

      if left(v_object.name, v_length + v_slash - 1) = v_folder then
        v_patience := v_patience - 1;
        continue when v_patience > 0;
        v_seek := v_folder || case when v_is_ascending then '0' else '/' end;
        close v_cursor;
        continue jumps;
      end if;

      v_folder := left(v_object.name, v_length + v_slash - 1);
      v_patience := 50;
      key := split_part(v_folder, '/', search_v2.levels);
      name := v_folder;
      id := null;
      updated_at := null;
      created_at := null;
      last_accessed_at := null;
      metadata := null;
      v_count := v_count + 1;
      return next;
    end loop;
  end loop;
end
$$;

do $$
declare
  v_function regprocedure;
begin
  for v_function in
    select functions.oid
    from pg_catalog.pg_proc as functions
    where functions.pronamespace = 'storage'::regnamespace
      and functions.proowner <> 'supabase_storage_admin'::regrole
  loop
    execute format('alter function %s owner to supabase_storage_admin', v_function);
  end loop;
end
$$;

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

-- Databases of earlier releases have the tables without these.
do $$
begin
  if to_regtype('storage.buckettype') is not null then
    return;
  end if;

  create type storage.buckettype as enum ('STANDARD', 'ANALYTICS');
  alter type storage.buckettype owner to supabase_storage_admin;
  alter table storage.buckets add column type storage.buckettype not null default 'STANDARD';

  create index idx_objects_bucket_id_name on storage.objects (bucket_id, name collate "C");
  create index idx_objects_bucket_id_name_lower
    on storage.objects (bucket_id, (lower(name) collate "C"));

  create trigger update_objects_updated_at
    before update on storage.objects
    for each row
    execute function storage.update_updated_at_column();
end
$$;

-- Row level security decides. (Supabase grants truncate as well, which no policy restrains.)
grant select, insert, update, delete on storage.buckets, storage.objects
  to anon, authenticated, service_role;
grant all on storage.buckets, storage.objects to postgres with grant option;

grant execute on function
  storage.operation(),
  storage.allow_any_operation(text[]),
  storage.allow_only_operation(text),
  storage.search(text, text, integer, integer, integer, text, text, text),
  storage.search_v2(text, text, integer, integer, text, text, text, text)
  to postgres, anon, authenticated, service_role;

-- The Storage server logs in as its owner and becomes the caller. On Supabase this role can do so
-- because it is a member of authenticator, too.
do $$
begin
  if not pg_has_role('supabase_storage_admin', 'authenticator', 'member') then
    grant authenticator to supabase_storage_admin;
  end if;
end
$$;

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
