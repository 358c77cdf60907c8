-- A ledger of credits: grants, holds that reserve credits for runs, and an entry for each change of a balance.
set local lock_timeout = '5s';

create table public.credit_grants (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references public.users (id) on delete cascade,
  source text not null,
  amount integer not null,
  remaining integer not null default 0,
  reserved integer not null default 0,
  taken_back integer not null default 0,
  due integer not null default 0,
  reference text,
  idempotency_key text,
  expires_at timestamptz,
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  constraint credit_grants_source_is_known check (
    source in ('plan', 'pack', 'bonus', 'adjustment')
  ),
  constraint credit_grants_amount_fits check (amount between 1 and 1000000000),
  constraint credit_grants_cover_holds check (
    -- Written out, because a dump flattens a "between".
    due >= 0 and due <= reserved and reserved <= remaining and remaining <= amount
  ),
  constraint credit_grants_taken_back_fits check (taken_back between 0 and amount),
  constraint credit_grants_reference_is_short check (char_length(reference) between 1 and 200),
  constraint credit_grants_idempotency_key_is_short check (
    char_length(idempotency_key) between 1 and 200
  )
)
-- Room for new versions of a row on its page: no index has the columns that holds and charges change.
with (fillfactor = 70);
create index credit_grants_user_id_idx on public.credit_grants (user_id, created_at desc, id desc);
-- The order in which holds reserve.
create index credit_grants_live_idx on public.credit_grants (user_id, expires_at, created_at, id)
  where ended_at is null;
create index credit_grants_expires_at_idx on public.credit_grants (expires_at)
  where ended_at is null and expires_at is not null;
create unique index credit_grants_reference_idx on public.credit_grants (user_id, source, reference)
  where reference is not null;
create unique index credit_grants_idempotency_key_idx
  on public.credit_grants (user_id, source, idempotency_key)
  where idempotency_key is not null;
alter table public.credit_grants enable row level security;

create table public.credit_holds (
  id uuid primary key default gen_random_uuid(),
  -- No foreign keys: the run may be deleted before the hold, and a trigger deletes the holds of a deleted user. A foreign key
  -- costs a look-up per hold, and only one function inserts holds.
  user_id uuid not null,
  run_id bigint not null,
  amount integer not null,
  reason text not null,
  status text not null default 'open',
  expires_at timestamptz not null,
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  constraint credit_holds_amount_fits check (amount between 1 and 1000000000),
  constraint credit_holds_reason_is_short check (char_length(reason) between 1 and 500),
  constraint credit_holds_status_is_known check (status in ('open', 'captured', 'released')),
  constraint credit_holds_ended_has_time check ((status = 'open') = (ended_at is null))
)
with (fillfactor = 80);
create index credit_holds_user_id_idx on public.credit_holds (user_id, created_at desc, id desc);
-- Not partial, and the next index does not have the condition "status = 'open'": the planner takes a partial index for short,
-- reads it from end to end, and finds the dead versions of all holds that have ended.
create index credit_holds_run_id_idx on public.credit_holds (run_id);
create index credit_holds_open_expires_at_idx on public.credit_holds (expires_at)
  where ended_at is null;
create index credit_holds_ended_at_idx on public.credit_holds (ended_at)
  where ended_at is not null;
alter table public.credit_holds enable row level security;

create table app.credit_hold_grants (
  -- No foreign keys: see public.credit_holds.
  hold_id uuid not null,
  grant_id uuid not null,
  amount integer not null,
  primary key (hold_id, grant_id),
  constraint credit_hold_grants_amount_is_positive check (amount > 0)
);
alter table app.credit_hold_grants enable row level security;

create table public.credit_entries (
  id bigint generated always as identity primary key,
  -- No foreign keys: the deletion of a user changes only user_id, by trigger.
  user_id uuid,
  kind text not null,
  amount integer not null,
  grant_id uuid,
  hold_id uuid,
  run_id bigint,
  charged integer,
  reason text,
  idempotency_key text,
  created_at timestamptz not null default now(),
  constraint credit_entries_kind_is_known check (
    kind in ('grant', 'charge', 'expiry', 'taken_back', 'debt', 'repayment', 'adjustment')
  ),
  constraint credit_entries_amount_has_its_sign check (
    case
      when kind in ('grant', 'repayment') then amount > 0
      when kind = 'adjustment' then amount <> 0
      else amount < 0
    end
  ),
  constraint credit_entries_charge_has_hold check ((kind = 'charge') = (hold_id is not null)),
  constraint credit_entries_charged_is_positive check (
    charged is null or (charged > 0 and kind = 'charge')
  )
);
create index credit_entries_user_id_idx on public.credit_entries (user_id, id desc);
create index credit_entries_charged_idx on public.credit_entries (user_id, id desc)
  where charged is not null;
create index credit_entries_idempotency_key_idx
  on public.credit_entries (user_id, idempotency_key)
  where idempotency_key is not null;
alter table public.credit_entries enable row level security;

create table app.credit_periods (
  user_id uuid primary key references public.users (id) on delete cascade,
  next_at timestamptz not null
);
create index credit_periods_next_at_idx on app.credit_periods (next_at);
alter table app.credit_periods enable row level security;

-- One change of a grant, and of the balance of its user.
create type app.credit_movement as (
  kind text,
  user_id uuid,
  grant_id uuid,
  hold_id uuid,
  run_id bigint,
  credits integer,
  reserved integer,
  owed integer,
  due integer,
  taken_back integer,
  reason text,
  idempotency_key text
);

alter table app.settings
  add column credit_hold_max interval not null default '1 day'
    constraint settings_credit_hold_max_is_positive check (credit_hold_max > '0'),
  add column credit_hold_retention interval not null default '90 days'
    constraint settings_credit_hold_retention_is_positive check (credit_hold_retention > '0');

-- Balances from before the ledger become grants, and users who signed up before it get their current period.
insert into public.credit_grants (user_id, source, amount, remaining, created_at)
select u.id, 'adjustment', u.credits, u.credits, now()
from public.users as u
where u.credits > 0;
insert into public.credit_entries (user_id, kind, amount, grant_id, reason, created_at)
select g.user_id, 'adjustment', g.amount, g.id, 'The balance before the ledger.', now()
from public.credit_grants as g;
insert into app.credit_periods (user_id, next_at)
select u.id, now()
from public.users as u;
