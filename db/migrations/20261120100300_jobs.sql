-- Jobs: runs of steps that clients can watch, the queue that workers take them from, and what keeps both exact.
set local lock_timeout = '5s';

alter table app.settings
  add column job_lease interval not null default '30 seconds'
    constraint settings_job_lease_is_long_enough check (job_lease >= '3 seconds'),
  add column job_retention interval not null default '30 days'
    constraint settings_job_retention_is_positive check (job_retention > '0'),
  add column job_retries_per_hour integer not null default 30
    constraint settings_job_retries_per_hour_is_positive check (job_retries_per_hour > 0),
  add column run_steps_max integer not null default 20000
    constraint settings_run_steps_max_is_positive check (run_steps_max > 0),
  add column job_events_are_kept boolean not null default false;
comment on column app.settings.job_lease is
  'How long a worker process may be silent before its steps go to others. Each heartbeats once a second.';
comment on column app.settings.job_retention is 'How long a finished run is kept.';
comment on column app.settings.job_retries_per_hour is
  'How often an hour a user may retry runs: what was under way when one was cancelled is done again.';
comment on column app.settings.run_steps_max is 'How many steps a run may have, those that its steps bring included.';
comment on column app.settings.job_events_are_kept is 'Whether each transition of a step is written to app.job_events.';

create table public.job_types (
  name text primary key,
  description text not null default '',
  has_handler boolean not null default true,
  on_failure text not null default 'fail_run',
  max_failures integer not null default 5,
  backoff interval not null default '2 seconds',
  backoff_max interval not null default '5 minutes',
  timeout interval not null default '5 minutes',
  running_limit integer,
  owner_running_limit integer,
  rate_limit integer,
  rate_window interval,
  rate_spent_until timestamptz not null default '-infinity',
  max_output_bytes integer not null default 1048576,
  constraint job_types_name_is_a_slug check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
  constraint job_types_on_failure_is_known check (on_failure in ('fail_run', 'skip_dependents', 'continue')),
  constraint job_types_max_failures_is_positive check (max_failures > 0),
  constraint job_types_backoff_is_positive check (backoff > '0' and backoff_max >= backoff and backoff_max <= '30 days'),
  -- Node's timers reach to 24 days.
  constraint job_types_timeout_is_positive check (timeout > '0' and timeout <= '20 days'),
  constraint job_types_running_limit_is_not_negative check (running_limit >= 0),
  constraint job_types_owner_running_limit_is_not_negative check (owner_running_limit >= 0),
  constraint job_types_rate_is_whole check (
    (rate_limit is null) = (rate_window is null) and rate_limit > 0 and rate_window > '0' and rate_window <= '30 days'
  ),
  constraint job_types_max_output_bytes_is_positive check (max_output_bytes > 0)
);
alter table public.job_types enable row level security;
comment on table public.job_types is 'Kinds of background work.';
comment on column public.job_types.has_handler is 'False: a group, whose own work is done as soon as it is reached.';
comment on column public.job_types.on_failure is
  'What the failure of a step does, unless the step says otherwise: fail_run, skip_dependents or continue.';
comment on column public.job_types.max_failures is
  'The failure at which a step is given up. Transient errors, timeouts and lost workers count; where a provider says when to come '
  'back, a hundred times are enough.';
comment on column public.job_types.backoff is 'The pause after the first failure; it doubles with each, up to backoff_max.';
comment on column public.job_types.timeout is 'After which a handler is stopped; counts as a failure.';
comment on column public.job_types.running_limit is 'How many may run at a time, of all owners. 0 stops the type.';
comment on column public.job_types.owner_running_limit is 'How many of one owner may run at a time.';
comment on column public.job_types.rate_limit is
  'How many may start per rate_window, of all owners, on the long run; and how many at once after a pause (a token bucket).';
comment on column public.job_types.rate_spent_until is 'Until when what was started is spent (generic cell rate algorithm).';

-- A group is all that the engine itself needs.
insert into public.job_types (name, description, has_handler) values ('group', 'Steps that belong together.', false);

create table app.runs (
  id bigint primary key,
  -- No foreign key: a transaction that updates a run twice would ask for its owner again, while it holds what the deletion of this
  -- owner waits for. Who makes a run holds the owner first; a trigger deletes it with them.
  owner_id uuid,
  idempotency_key text,
  steps integer not null,
  failing_step_id bigint,
  is_closed boolean not null default false,
  created_at timestamptz not null,
  finished_at timestamptz,
  constraint runs_idempotency_key_is_short check (char_length(idempotency_key) between 1 and 200)
);
create unique index runs_idempotency_key_idx on app.runs (owner_id, idempotency_key) nulls not distinct
  where idempotency_key is not null;
create index runs_owner_id_idx on app.runs (owner_id);
create index runs_finished_at_idx on app.runs (finished_at) where finished_at is not null;
alter table app.runs enable row level security;
comment on table app.runs is
  'One row per run, with the id of its root job. Who changes a step of the run holds its lock; a claim does not.';
comment on column app.runs.steps is 'How many steps it has, the root included.';
comment on column app.runs.failing_step_id is
  'The step whose failure ends the run: nothing more starts, and the root fails once nothing runs.';
comment on column app.runs.is_closed is 'What it worked on is gone: it cannot be retried.';

create table public.jobs (
  id bigint generated by default as identity primary key,
  -- No foreign keys: a run is made and deleted as a whole, by one function and one trigger; types are checked when it is made.
  root_id bigint not null,
  parent_id bigint,
  owner_id uuid,
  created_at timestamptz not null,
  started_at timestamptz,
  worked_at timestamptz,
  finished_at timestamptz,
  progress real not null default 0,
  output_bytes integer not null default 0,
  key text collate "C" not null,
  type text not null,
  status text not null,
  on_failure text not null,
  collects boolean not null default false,
  priority integer not null default 0,
  depends_on bigint[],
  error_slug text,
  error_message text,
  input jsonb,
  output jsonb,
  -- As two conditions: a counted repetition takes three times as long.
  constraint jobs_key_is_plain check (key ~ '^[a-z0-9_.:-]+$' and octet_length(key) <= 80),
  constraint jobs_finished_has_time check (
    case
      when finished_at is null then status in ('blocked', 'queued', 'running', 'joining')
      else status in ('completed', 'failed', 'cancelled', 'skipped')
    end
  ),
  constraint jobs_progress_is_a_fraction check (progress between 0 and 1),
  constraint jobs_on_failure_is_known check (on_failure in ('fail_run', 'skip_dependents', 'continue')),
  -- Also finds the children of a parent.
  constraint jobs_key_is_unique_among_siblings unique (parent_id, key)
)
-- Room for the one or two versions that each row gets.
with (fillfactor = 80);
create index jobs_root_id_idx on public.jobs (root_id);
create index jobs_owner_id_idx on public.jobs (owner_id, id);
alter table public.jobs enable row level security;
comment on table public.jobs is
  'Background work as its owner sees it: a run is a tree of steps. Watch it through Realtime, or read job_tree. Steps that '
  'are over within a second are never seen as running.';
comment on column public.jobs.key is 'What it is called, beside its siblings.';
comment on column public.jobs.type is 'Its kind: a name of job_types.';
comment on column public.jobs.on_failure is 'What its failure does: fail_run, skip_dependents or continue.';
comment on column public.jobs.priority is 'From -100 to 100, lower first; among the steps of its owner and type.';
comment on column public.jobs.input is 'What its handler is given.';
comment on column public.jobs.output is 'What it has made.';
comment on column public.jobs.root_id is 'The run: the id of its root.';
comment on column public.jobs.status is
  'blocked, queued, running, joining (own work done, children open), completed, failed, cancelled or skipped.';
comment on column public.jobs.progress is 'From 0 to 1, as the handler tells it.';
comment on column public.jobs.worked_at is 'When its own work was done; its children come after that.';
comment on column public.jobs.output_bytes is 'The size of what dependents get of it, its collected children included.';
comment on column public.jobs.collects is 'Whether what dependents get of it carries { key: output } of its children.';
comment on column public.jobs.depends_on is 'The siblings that it waits for, and whose outputs it gets.';
comment on column public.jobs.error_slug is 'What went wrong, for programs.';
comment on column public.jobs.error_message is 'What went wrong, for people.';

create table app.lanes (
  id bigint generated always as identity primary key,
  -- Without a foreign key, which would have a worker wait for whoever deletes the user, who waits for the worker.
  owner_id uuid,
  type text not null references public.job_types (name),
  wake_at timestamptz not null default 'infinity',
  not_before timestamptz not null default '-infinity',
  served_at timestamptz not null default '-infinity',
  constraint lanes_owner_and_type_are_unique unique nulls not distinct (owner_id, type)
)
with (fillfactor = 50);
create index lanes_type_idx on app.lanes (type);
create index lanes_awake_idx on app.lanes (served_at, id) where wake_at < 'infinity';
alter table app.lanes enable row level security;
comment on table app.lanes is 'An owner''s steps of one type. Lanes are served in turn.';
comment on column app.lanes.wake_at is 'Nothing in it is due before. Infinity: nothing is queued.';
comment on column app.lanes.not_before is 'When its provider takes requests again.';
comment on column app.lanes.served_at is 'When a step was last taken from it.';

create table app.job_queue (
  job_id bigint primary key,
  -- No foreign keys here either: a lane goes with its owner only, and so do the owner's runs.
  run_id bigint not null,
  parent_id bigint,
  lane_id bigint,
  fence bigint not null default 0,
  run_at timestamptz not null,
  claimed_at timestamptz,
  worker_id uuid,
  waits integer not null,
  open_children integer not null,
  failures integer not null default 0,
  delays integer not null default 0,
  priority integer not null default 0,
  status text not null,
  dependents bigint[],
  state jsonb,
  constraint job_queue_status_is_open check (status in ('blocked', 'queued', 'running', 'joining')),
  constraint job_queue_waits_are_not_negative check (waits >= 0),
  constraint job_queue_open_children_are_not_negative check (open_children >= 0),
  constraint job_queue_running_has_worker check ((status = 'running') = (worker_id is not null))
)
with (fillfactor = 70);
create index job_queue_run_id_idx on app.job_queue (run_id);
-- For counting a lane's running steps. Who asks for one step asks whether worker_id is set, which is the same: by status, a
-- plan made while the table is empty would read this index from end to end for each.
create index job_queue_running_idx on app.job_queue (lane_id) where status = 'running';
create index job_queue_queued_idx on app.job_queue (lane_id, priority, run_at, job_id) where status = 'queued';
alter table app.job_queue enable row level security;
comment on table app.job_queue is 'Open steps, and only those. The truth about them; public.jobs follows.';
comment on column app.job_queue.lane_id is 'Null for a group.';
comment on column app.job_queue.fence is 'Rises at each claim, of whatever step: a result with another one is refused.';
comment on column app.job_queue.waits is 'For how many things it waits: dependencies, and its parent''s own work.';
comment on column app.job_queue.open_children is 'How many of its direct children are not settled.';
comment on column app.job_queue.delays is
  'How often its provider has said when to come back: counted apart from failures, since a quota that many share says so often.';
comment on column app.job_queue.dependents is 'The siblings that wait for it.';
comment on column app.job_queue.state is 'What a rescheduled step saved for its next turn.';

create sequence app.step_fences;

create table app.workers (
  id uuid primary key,
  heartbeat_at timestamptz not null,
  started_at timestamptz not null,
  types text[]
);
create index workers_heartbeat_at_idx on app.workers (heartbeat_at);
alter table app.workers enable row level security;
comment on table app.workers is 'Worker processes that run steps.';
comment on column app.workers.types is 'What it has handlers for; it takes nothing else. Null: everything.';

create table app.job_events (
  id bigint generated always as identity primary key,
  -- Without a foreign key: a timeline costs an insert, no more. It goes with its run.
  run_id bigint not null,
  job_id bigint not null,
  status text not null,
  happened_at timestamptz not null
);
create index job_events_run_id_idx on app.job_events (run_id);
alter table app.job_events enable row level security;
comment on table app.job_events is 'What happened to steps, in order; kept where app.settings.job_events_are_kept says so.';

-- What clients may not read is not sent either.
alter publication supabase_realtime add table public.jobs (
  id, root_id, parent_id, owner_id, key, type, status, progress, created_at, started_at, finished_at, error_slug,
  error_message
);
