-- A step that was lost with its process is not a step that failed, and a step waits for a worker that knows its version.
set local lock_timeout = '5s';

alter table public.job_types
  add column max_losses integer not null default 3
    constraint job_types_max_losses_is_positive check (max_losses > 0),
  add column version integer not null default 1
    constraint job_types_version_is_positive check (version > 0),
  add column max_input_bytes integer not null default 67108864
    constraint job_types_max_input_bytes_is_positive check (max_input_bytes > 0);

alter table public.jobs
  add column version integer not null default 1;

alter table app.job_queue
  add column version integer not null default 1,
  add column losses integer not null default 0,
  add column runs_alone boolean not null default false;

alter table app.workers
  add column beating_since timestamptz not null default '-infinity',
  add column versions jsonb,
  add column waiting_fences bigint[] not null default '{}';

-- Functions that take or return more now.
drop function if exists app.judge_result(jsonb, integer, integer, integer, integer, interval, interval);
drop function if exists app.requeue_steps(bigint[], integer[], integer[], timestamptz[], real[], jsonb[], text[], text[]);
drop function if exists app.return_lost_steps(uuid, jsonb);
