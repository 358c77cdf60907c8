-- Accounts: one profile per auth user, and the plans they may be on.
set local lock_timeout = '5s';

create table public.plans (
  id text primary key,
  name text not null,
  description text not null default '',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint plans_id_is_a_slug check (id ~ '^[a-z][a-z0-9_]{0,39}$'),
  constraint plans_name_is_short check (char_length(name) between 1 and 100)
);
alter table public.plans enable row level security;
comment on table public.plans is 'Plans a user can be on.';

-- Every profile needs this one from its first moment on; the others come with db/seed.
insert into public.plans (id, name) values ('free', 'Free');

create table public.users (
  id uuid primary key references auth.users (id) on delete cascade,
  plan_id text not null default 'free' references public.plans (id),
  credits integer not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint users_credits_are_not_negative check (credits >= 0)
);
create index users_plan_id_idx on public.users (plan_id);
alter table public.users enable row level security;
comment on table public.users is 'The profile of a signed-in user. Made with the auth user, gone with it.';
comment on column public.users.credits is 'What the user can spend.';

-- Whoever signed up before this ran.
insert into public.users (id) select id from auth.users;
