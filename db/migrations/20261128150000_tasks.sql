-- Agent tasks: a user submits a mandate, a worker works on it in ticks, and the user answers its questions.
set local lock_timeout = '5s';

create domain app.task_mandate as text
  constraint task_mandate_fits check (char_length(value) between 1 and 20000);
create domain app.task_max_ticks as integer
  constraint task_max_ticks_fits check (value between 1 and 500);

create table public.tasks (
  id uuid primary key default gen_random_uuid(),
  correlation_id text not null default gen_random_uuid()::text,
  -- No foreign key: a transaction that holds a task would wait for a deletion of its user, which waits for the task. A trigger
  -- deletes the tasks of a deleted user.
  user_id uuid not null default auth.uid(),
  mandate text not null,
  status text not null default 'pending',
  max_ticks integer not null default 50,
  tick integer,
  result jsonb,
  error text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  usage jsonb,
  -- No foreign key: the run is deleted earlier than the task.
  run_id bigint,
  constraint tasks_correlation_id_is_short check (char_length(correlation_id) between 1 and 200),
  constraint tasks_mandate_fits check (mandate::app.task_mandate is not null),
  constraint tasks_max_ticks_fits check (max_ticks::app.task_max_ticks is not null),
  constraint tasks_tick_is_not_negative check (tick >= 0),
  constraint tasks_status_is_known check (
    status in (
      'pending', 'accepted', 'started', 'in_progress', 'input_required', 'completed', 'error',
      'cancelled'
    )
  )
)
-- Room for new versions of a row on its page: a tick changes no column that an index has.
with (fillfactor = 70);
create unique index idx_tasks_correlation_id on public.tasks (user_id, correlation_id);
create index idx_tasks_user_created on public.tasks (user_id, created_at desc, id desc);
create index idx_tasks_status on public.tasks (status, user_id, created_at, id)
  where status in ('pending', 'accepted', 'started', 'in_progress', 'input_required');
create unique index tasks_run_id_idx on public.tasks (run_id) where run_id is not null;
alter table public.tasks enable row level security;

create table app.task_states (
  task_id uuid primary key references public.tasks (id) on delete cascade,
  request_hash bytea not null,
  state jsonb,
  question jsonb,
  answer jsonb,
  deadline timestamptz,
  is_closed boolean not null default false,
  ended_at timestamptz
)
with (fillfactor = 70);
create index task_states_ended_at_idx on app.task_states (ended_at) where ended_at is not null;
alter table app.task_states enable row level security;

create table app.task_answers (
  task_id uuid not null references public.tasks (id) on delete cascade,
  tick integer not null,
  answer_hash bytea not null,
  created_at timestamptz not null,
  primary key (task_id, tick)
);
alter table app.task_answers enable row level security;

create table app.task_owners (
  -- No foreign key: see public.tasks.
  user_id uuid primary key,
  day date not null,
  tasks_of_day integer not null,
  constraint task_owners_tasks_of_day_are_not_negative check (tasks_of_day >= 0)
)
-- Each submission updates a row.
with (fillfactor = 50);
alter table app.task_owners enable row level security;

-- Null: no limit. Existing plans get the values of free.
alter table public.plans
  add column tasks_running integer default 2
    constraint plans_tasks_running_is_not_negative check (tasks_running >= 0),
  add column tasks_open integer default 10
    constraint plans_tasks_open_is_not_negative check (tasks_open >= 0),
  add column tasks_per_day integer default 50
    constraint plans_tasks_per_day_is_not_negative check (tasks_per_day >= 0);
update public.plans as p
set tasks_running = 10, tasks_open = 200, tasks_per_day = 1000
where p.id = 'pro';

alter table app.settings
  add column task_answer_deadline interval not null default '7 days'
    constraint settings_task_answer_deadline_is_possible check (
      task_answer_deadline > '0' and task_answer_deadline <= '365 days'
    ),
  add column task_retention interval not null default '90 days'
    constraint settings_task_retention_is_positive check (task_retention > '0'),
  add column task_writes_per_minute integer not null default 120
    constraint settings_task_writes_per_minute_is_positive check (task_writes_per_minute > 0);

-- The seed adds the type to new databases. Here, so that no submission meets a database that lacks it.
insert into public.job_types (
  name, description, has_handler, on_failure, max_failures, backoff, backoff_max, timeout,
  owner_running_limit, version, max_turns, is_paid
)
select
  'run_task', 'Works on an agent task, one tick per turn.',
  true, 'fail_run', 5, '2 s', '5 min', '6 min', 20, 1, 10000, true
where exists (select from public.job_types as t where t.name = 'write_outline')
on conflict on constraint job_types_pkey do nothing;
