-- Accounts: a profile that cannot be created must not stop a sign-up; this table remembers the user.
set local lock_timeout = '5s';

create table app.missing_profiles (
  user_id uuid primary key references auth.users (id) on delete cascade,
  failed_at timestamptz not null,
  error text not null
);
alter table app.missing_profiles enable row level security;
