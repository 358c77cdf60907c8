-- One small row per run for Realtime: a published step reached every subscriber when it was purged, and a large run stopped all events for a minute.
set local lock_timeout = '5s';

create table public.runs (
  id uuid primary key default gen_random_uuid(),
  -- No foreign keys, as in app.runs: a trigger deletes the row with its run.
  job_id bigint not null,
  owner_id uuid,
  type text not null,
  label text not null,
  status text not null,
  progress real not null default 0,
  steps_done integer not null default 0,
  steps_failed integer not null default 0,
  steps_open integer not null default 0,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  constraint runs_job_id_is_unique unique (job_id),
  constraint runs_status_is_known check (
    status in ('queued', 'running', 'completed', 'failed', 'cancelled')
  ),
  constraint runs_progress_is_a_fraction check (progress between 0 and 1)
)
-- Room for a few versions of each row, so that an update touches no index.
with (fillfactor = 60);
create index runs_owner_id_idx on public.runs (owner_id, created_at desc, id desc);
alter table public.runs enable row level security;

create table app.run_changes (
  id bigint generated always as identity primary key,
  -- No foreign key: a change costs an insert, no more.
  run_id bigint not null
);
alter table app.run_changes enable row level security;
