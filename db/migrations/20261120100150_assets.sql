-- Assets: files that shared resources show, each stored once however often it is uploaded.
set local lock_timeout = '5s';

create table app.asset_types (
  mime_type text primary key,
  extension text not null,
  constraint asset_types_mime_type_is_lower_case check (mime_type ~ '^[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,60}$'),
  constraint asset_types_extension_is_plain check (extension ~ '^[a-z0-9]{1,10}$')
);
alter table app.asset_types enable row level security;
comment on table app.asset_types is
  'What may be uploaded, as its first bytes tell; an operator may add types. No SVG: it can carry scripts.';
insert into app.asset_types (mime_type, extension)
values
  ('image/png', 'png'),
  ('image/apng', 'png'),
  ('image/jpeg', 'jpg'),
  ('image/gif', 'gif'),
  ('image/webp', 'webp'),
  ('image/avif', 'avif');

create table public.assets (
  id uuid primary key,
  name text not null,
  hash text not null,
  size_byte integer not null,
  mime_type text not null,
  file_path text not null,
  object_key text not null,
  status text not null default 'live',
  used_at timestamptz not null default now(),
  status_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  constraint assets_name_is_short check (octet_length(name) between 1 and 255),
  constraint assets_hash_is_sha256 check (hash ~ '^[0-9a-f]{64}$'),
  constraint assets_size_byte_is_positive check (size_byte > 0),
  constraint assets_file_path_is_the_object check (
    file_path ~ '^https?://' and right(file_path, char_length(object_key) + 1) = '/' || object_key
  ),
  constraint assets_object_key_is_its_own check (
    object_key ~ '^shared-assets/[0-9a-f-]{36}/[A-Za-z0-9_-][A-Za-z0-9._-]{0,119}$'
    and split_part(object_key, '/', 2) = id::text
  ),
  constraint assets_status_is_known check (status in ('live', 'orphaned', 'deleting'))
);
-- What is being deleted counts as absent: the same bytes get a new id and a new key.
create unique index assets_kept_hash_idx on public.assets (hash) where status <> 'deleting';
create index assets_live_idx on public.assets (used_at) where status = 'live';
create index assets_leaving_idx on public.assets (status, status_at) where status <> 'live';
alter table public.assets enable row level security;
comment on table public.assets is
  'Uploaded files. Upload one with POST /api/assets of the sidecar, which answers { "assetId": … }.';
comment on column public.assets.hash is 'SHA-256 of the bytes, in hex.';
comment on column public.assets.file_path is 'Where the file can be loaded: a URL of the CDN.';
comment on column public.assets.object_key is 'Its key in the object store.';
comment on column public.assets.status is
  'live; orphaned: nothing has shown it for a while; deleting: its object is being removed, and it counts as absent.';
comment on column public.assets.used_at is 'When it was last uploaded.';
comment on column public.assets.status_at is 'Since when it has had its status.';

create table app.asset_uploads (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  hash text not null,
  size_byte integer not null,
  mime_type text not null,
  object_key text not null,
  started_at timestamptz not null default now(),
  claimed_at timestamptz,
  constraint asset_uploads_hash_is_sha256 check (hash ~ '^[0-9a-f]{64}$')
);
create index asset_uploads_started_at_idx on app.asset_uploads (started_at);
alter table app.asset_uploads enable row level security;
comment on table app.asset_uploads is
  'Uploads under way: written before their object, so that whatever breaks, each object has a row that names it.';
comment on column app.asset_uploads.claimed_at is 'When the worker set out to remove what is left of it.';
