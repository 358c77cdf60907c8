-- Plans bound how many images and videos a user has made per day, and a ceiling bounds all users together.
set local lock_timeout = '5s';

alter table public.plans
  add column images_per_day integer not null default 200
    constraint plans_images_per_day_is_not_negative check (images_per_day >= 0),
  add column videos_per_day integer not null default 20
    constraint plans_videos_per_day_is_not_negative check (videos_per_day >= 0);

-- The seed never changes an existing row, so existing databases get these values here.
update public.plans as p
set images_per_day = 2000, videos_per_day = 200
where p.id = 'pro';

alter table app.settings
  add column all_images_per_day integer not null default 10000
    constraint settings_all_images_per_day_is_not_negative check (all_images_per_day >= 0),
  add column all_videos_per_day integer not null default 1000
    constraint settings_all_videos_per_day_is_not_negative check (all_videos_per_day >= 0);

create table app.media_days (
  id bigint generated always as identity primary key,
  -- No foreign key: see app.runs. A trigger deletes the rows of a deleted user.
  owner_id uuid,
  day date not null,
  images integer not null default 0,
  videos integer not null default 0,
  constraint media_days_owner_and_day_are_unique unique nulls not distinct (owner_id, day),
  constraint media_days_images_are_not_negative check (images >= 0),
  constraint media_days_videos_are_not_negative check (videos >= 0)
)
with (fillfactor = 50);
create index media_days_day_idx on app.media_days (day);
alter table app.media_days enable row level security;

create table app.media_reservations (
  -- No foreign key: a run may be deleted before its end is processed.
  run_id bigint primary key,
  owner_id uuid not null,
  day date not null,
  images integer not null,
  videos integer not null,
  constraint media_reservations_images_are_not_negative check (images >= 0),
  constraint media_reservations_videos_are_not_negative check (videos >= 0)
);
create index media_reservations_owner_id_idx on app.media_reservations (owner_id);
alter table app.media_reservations enable row level security;

create table app.media_returns (
  id bigint generated always as identity primary key,
  owner_id uuid,
  day date not null,
  images integer not null,
  videos integer not null,
  constraint media_returns_images_are_not_negative check (images >= 0),
  constraint media_returns_videos_are_not_negative check (videos >= 0)
);
create index media_returns_owner_id_idx on app.media_returns (owner_id, day);
alter table app.media_returns enable row level security;

create type public.media_limits as (
  day_ends_at timestamptz,
  images_per_day integer,
  images_reserved integer,
  images_left integer,
  videos_per_day integer,
  videos_reserved integer,
  videos_left integer
);
