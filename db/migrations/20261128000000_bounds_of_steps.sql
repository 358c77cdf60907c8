-- A step's saved state outlives the end of its run, and what a step may buy, repeat or hold has bounds.
set local lock_timeout = '5s';

alter table public.job_types
  add column owner_open_limit integer
    constraint job_types_owner_open_limit_is_not_negative check (owner_open_limit >= 0),
  add column max_turns integer not null default 10000
    constraint job_types_max_turns_is_positive check (max_turns > 0),
  add column is_paid boolean not null default false;

alter table app.settings
  add column lane_hold_max interval not null default '1 hour'
    constraint settings_lane_hold_max_is_not_negative check (lane_hold_max >= '0'),
  add column buying_is_stopped boolean not null default false;

alter table app.lanes
  add column hold_kind text
    constraint lanes_hold_kind_is_known check (hold_kind in ('provider_delay', 'day_spent')),
  add column hold_reason text;

alter table app.job_queue
  add column turns integer not null default 0;

-- JSON null was a state of its own. A state that is not null now means that a step has begun something.
update app.job_queue as q
set state = null
where q.state = 'null';

-- app.job_queue has rows of open steps only, so building the index takes a moment.
-- squawk-ignore require-concurrent-index-creation
create index job_queue_saved_idx on app.job_queue (lane_id, priority, run_at, job_id, version)
  where status = 'queued' and state is not null;

create table app.step_states (
  job_id bigint primary key,
  -- No foreign key, as in public.jobs: app.tg_runs__delete_steps deletes the rows of a run.
  run_id bigint not null,
  state jsonb not null
);
create index step_states_run_id_idx on app.step_states (run_id);
alter table app.step_states enable row level security;

-- The seed never changes an existing row, so existing databases get these values here.
update public.job_types as t
set is_paid = true
where t.name in (
  'write_outline', 'write_cast', 'write_script', 'write_scene', 'generate_image', 'generate_video'
);
update public.job_types as t
set owner_open_limit = 10
where t.name = 'generate_video' and t.owner_open_limit is null;

-- Functions that take or return more now.
drop function if exists app.judge_result(
  jsonb, integer, integer, integer, integer, integer, integer, interval, interval
);
drop function if exists app.requeue_steps(
  bigint[], integer[], integer[], integer[], boolean[], timestamptz[], real[], jsonb[], text[], text[]
);
drop function if exists app.lock_owner_limits(bigint[], integer[]);
drop function if exists app.wake_lanes(bigint[], bigint[], timestamptz[]);
