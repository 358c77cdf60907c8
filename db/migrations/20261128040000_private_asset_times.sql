-- The first uploader's file name and times are no longer everybody's: each name becomes file.<extension>, and the times move to
-- a table that no client reads. From this table, all stored bytes are counted, and those that nothing is known to refer to.
set local lock_timeout = '5s';

create table app.asset_times (
  asset_id uuid primary key references public.assets (id) on delete cascade,
  status text not null,
  used_at timestamptz not null,
  status_at timestamptz not null,
  created_at timestamptz not null,
  size_byte integer not null,
  is_referenced boolean not null default false
);
alter table app.asset_times enable row level security;

-- Sixteen rows instead of one, so that sessions that count at the same time rarely wait for each other.
create table app.asset_bytes (
  slot integer primary key,
  stored_bytes bigint not null default 0,
  unreferenced_bytes bigint not null default 0
) with (fillfactor = 10);
alter table app.asset_bytes enable row level security;
insert into app.asset_bytes (slot)
select n from generate_series(0, 15) as n;

-- Nothing tells yet which assets are referred to: each counts until the cleaner has looked.
insert into app.asset_times (asset_id, status, used_at, status_at, created_at, size_byte)
select a.id, a.status, a.used_at, a.status_at, a.created_at, a.size_byte
from public.assets as a;
update app.asset_bytes as b
set stored_bytes = present.bytes, unreferenced_bytes = present.bytes
from (
  select coalesce(sum(rows.size_byte), 0) as bytes
  from (
    select t.size_byte from app.asset_times as t
    union all
    select u.size_byte from app.asset_uploads as u
  ) as rows
) as present
where b.slot = 0;
create index asset_times_live_idx on app.asset_times (used_at) where status = 'live';
create index asset_times_leaving_idx on app.asset_times (status, status_at) where status <> 'live';

-- One plain update, because the table is small: an asset lives for some hours, unless shares show it all that time. The keys
-- of stored objects stay as they are, and so do the URLs of these assets: an object cannot be renamed.
update public.assets set name = 'file.' || regexp_replace(object_key, '^.*\.', '');
update app.asset_uploads set name = 'file.' || regexp_replace(object_key, '^.*\.', '');

-- The indexes on the times go with the columns. A column that clients may not read would make select('*') fail.
-- squawk-ignore ban-drop-column
alter table public.assets drop column used_at;
-- squawk-ignore ban-drop-column
alter table public.assets drop column status_at;
-- squawk-ignore ban-drop-column
alter table public.assets drop column created_at;

-- Last, because every request reads app.settings.
alter table app.settings
  alter column asset_uploads_per_minute set default 1200,
  add column asset_max_pixels integer not null default 100000000
    constraint settings_asset_max_pixels_is_positive check (asset_max_pixels > 0),
  add column asset_bytes_max bigint not null default 1099511627776
    constraint settings_asset_bytes_max_is_positive check (asset_bytes_max > 0),
  add column unreferenced_bytes_max bigint not null default 268435456000
    constraint settings_unreferenced_bytes_max_is_positive check (unreferenced_bytes_max > 0);
-- The old default counted files. An operator's own value stays.
update app.settings set asset_uploads_per_minute = 1200 where asset_uploads_per_minute = 120;

drop function if exists app.safe_file_name(text, text);
