-- Public shares are counted per caller, and the bytes of all callers are added up: lists and the disk have limits.
set local lock_timeout = '5s';

alter table app.settings
  add column public_row_bytes_max integer not null default 262144
    constraint settings_public_row_bytes_max_is_positive check (public_row_bytes_max > 0),
  add column public_shares_max integer not null default 20
    constraint settings_public_shares_max_is_not_negative check (public_shares_max >= 0),
  add column anonymous_bytes_max bigint not null default 2147483648
    constraint settings_anonymous_bytes_max_is_positive check (anonymous_bytes_max > 0);

-- Null for shares that were made before this migration: they are not counted, and expire within the hour.
alter table app.share_packages
  add column caller_hash bigint,
  add column counted_until timestamptz;
-- The table has the shares of one hour or two, so building the index takes a moment.
-- squawk-ignore require-concurrent-index-creation
create index share_packages_public_idx on app.share_packages (caller_hash, counted_until) where caller_hash is not null;

create table app.anonymous_bytes (
  id bigint generated always as identity primary key,
  expires_at timestamptz not null,
  bytes bigint not null,
  constraint anonymous_bytes_bytes_is_not_negative check (bytes >= 0)
);
create index anonymous_bytes_expires_at_idx on app.anonymous_bytes (expires_at);
-- Rows are updated in place, which needs free space in their page.
alter table app.anonymous_bytes set (fillfactor = 50);
alter table app.anonymous_bytes enable row level security;
