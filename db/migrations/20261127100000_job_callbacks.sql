-- Products register callbacks with the job engine, because a hidden trigger on its tables made every other type pay for dramas.
set local lock_timeout = '5s';

create table app.job_callbacks (
  -- No foreign key: on a fresh database the modules register their callbacks before the seed data adds the types.
  type text primary key,
  on_completed text,
  on_rescheduled text,
  on_run_ended text,
  on_run_reopened text,
  constraint job_callbacks_type_is_a_slug check (type ~ '^[a-z][a-z0-9_]{0,62}$'),
  constraint job_callbacks_name_functions_of_app check (
    concat_ws(' ', on_completed, on_rescheduled, on_run_ended, on_run_reopened)
      ~ '^app\.[a-z][a-z0-9_]{0,62}( app\.[a-z][a-z0-9_]{0,62})*$'
  )
);
alter table app.job_callbacks enable row level security;

create table app.callback_faults (
  -- No foreign key: a fault outlives a run whose owner was deleted.
  run_id bigint not null,
  callback text not null,
  attempts integer not null default 1,
  failed_at timestamptz not null,
  next_at timestamptz not null,
  error text not null,
  constraint callback_faults_pkey primary key (run_id, callback),
  constraint callback_faults_attempts_are_positive check (attempts > 0)
);
create index callback_faults_next_at_idx on app.callback_faults (next_at);
alter table app.callback_faults enable row level security;

-- The trigger that callbacks replace. Until the modules of the same release are applied, results of steps are refused
-- (app.settle_steps is missing) and the worker keeps them, so no output gets lost between the two.
drop trigger if exists _100_apply_drama_outputs on public.jobs;
drop function if exists app.tg_jobs__apply_drama_outputs();

-- Functions that return more now, or have another name.
drop function if exists app.settle_steps(bigint[], bigint[], bigint[]);
drop function if exists app.wind_down_runs(bigint[]);
drop function if exists app.start_steps(bigint);
