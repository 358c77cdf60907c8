-- Orders of plans and credit packs, and the payments that Paymob reports for them.
set local lock_timeout = '5s';

create table public.orders (
  id uuid primary key default gen_random_uuid(),
  -- Null after the user was deleted: books are kept, names are not.
  user_id uuid references public.users (id) on delete set null,
  kind text not null,
  item_id text not null,
  item_name text not null,
  amount_minor integer not null,
  currency text not null,
  credits integer not null,
  period interval,
  status text not null default 'created',
  checkout_url text,
  refunded_minor integer not null default 0,
  error text,
  -- No foreign key: runs are deleted earlier than orders.
  run_id bigint,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  opened_at timestamptz,
  paid_at timestamptz,
  constraint orders_kind_is_known check (kind in ('plan', 'credit_pack')),
  constraint orders_plan_has_period check ((kind = 'plan') = (period is not null)),
  constraint orders_amount_minor_is_positive check (amount_minor > 0),
  constraint orders_currency_is_a_code check (currency ~ '^[A-Z]{3}$'),
  constraint orders_credits_are_not_negative check (credits >= 0),
  constraint orders_refunded_minor_fits check (refunded_minor between 0 and amount_minor),
  constraint orders_status_is_known check (
    status in (
      'created', 'opened', 'paid', 'part_refunded', 'refunded', 'voided', 'failed', 'expired'
    )
  ),
  constraint orders_paid_has_time check (
    (status in ('paid', 'part_refunded', 'refunded', 'voided')) = (paid_at is not null)
  )
)
with (fillfactor = 80);
create index orders_user_id_idx on public.orders (user_id, created_at desc, id desc);
create index orders_run_id_idx on public.orders (run_id) where run_id is not null;
alter table public.orders enable row level security;

create table app.order_details (
  order_id uuid primary key references public.orders (id) on delete cascade,
  -- No foreign key: a trigger sets it to null.
  user_id uuid,
  idempotency_key text not null,
  request_hash bytea not null,
  billing jsonb,
  openings integer not null default 0,
  next_inquiry_at timestamptz,
  inquiries integer not null default 0,
  constraint order_details_idempotency_key_is_unique unique (user_id, idempotency_key)
);
create index order_details_next_inquiry_at_idx
  on app.order_details (next_inquiry_at) where next_inquiry_at is not null;
alter table app.order_details enable row level security;

-- An order that was opened twice has two ids at Paymob.
create table app.paymob_orders (
  paymob_order_id bigint primary key,
  order_id uuid not null references public.orders (id) on delete cascade,
  created_at timestamptz not null default now()
);
create index paymob_orders_order_id_idx on app.paymob_orders (order_id);
alter table app.paymob_orders enable row level security;

create table app.order_fulfilments (
  order_id uuid primary key references public.orders (id) on delete cascade,
  transaction_id bigint not null,
  grant_id uuid,
  period_from timestamptz,
  period_to timestamptz,
  created_at timestamptz not null,
  constraint order_fulfilments_transaction_id_is_unique unique (transaction_id)
);
alter table app.order_fulfilments enable row level security;

create table app.order_refunds (
  transaction_id bigint primary key,
  order_id uuid not null references public.orders (id) on delete cascade,
  amount_minor integer not null,
  created_at timestamptz not null,
  constraint order_refunds_amount_minor_is_positive check (amount_minor > 0)
);
create index order_refunds_order_id_idx on app.order_refunds (order_id);
alter table app.order_refunds enable row level security;

create table public.payments (
  id uuid primary key default gen_random_uuid(),
  order_id uuid references public.orders (id) on delete set null,
  user_id uuid references public.users (id) on delete set null,
  source text not null,
  kind text not null,
  status text not null,
  reason text,
  transaction_id bigint,
  amount_minor bigint,
  currency text,
  created_at timestamptz not null default now(),
  judged_at timestamptz not null default now(),
  constraint payments_source_is_known check (source in ('callback', 'inquiry')),
  constraint payments_kind_is_known check (
    kind in ('payment', 'authorisation', 'capture', 'refund', 'void', 'token', 'unknown')
  ),
  constraint payments_status_is_known check (
    status in ('applied', 'duplicate', 'pending', 'declined', 'parked', 'noted', 'suspicious')
  )
);
create index payments_user_id_idx on public.payments (user_id, created_at desc, id desc);
create index payments_order_id_idx on public.payments (order_id);
create index payments_suspicious_idx on public.payments (created_at) where status = 'suspicious';
alter table public.payments enable row level security;

create table app.payment_callbacks (
  payment_id uuid primary key references public.payments (id) on delete cascade
    deferrable initially deferred,
  hmac text not null,
  digest bytea not null,
  paymob_order_id bigint,
  merchant_order_id text,
  body text not null,
  signed jsonb not null,
  hints jsonb not null,
  times integer not null default 1,
  last_received_at timestamptz not null,
  constraint payment_callbacks_are_unique unique (hmac, digest)
);
create index payment_callbacks_paymob_order_id_idx on app.payment_callbacks (paymob_order_id);
alter table app.payment_callbacks enable row level security;

create table app.plan_notices (
  user_id uuid primary key references public.users (id) on delete cascade,
  plan_ends_at timestamptz not null
);
alter table app.plan_notices enable row level security;
-- The column is new and null everywhere, so the index is built without a row.
-- squawk-ignore require-concurrent-index-creation
create index users_plan_ends_at_idx on public.users (plan_ends_at) where plan_ends_at is not null;

alter table app.settings
  add column paymob_integration_ids bigint[] not null default '{}',
  add column paymob_owner_id bigint,
  add column order_expiry interval not null default '1 day'
    constraint settings_order_expiry_is_possible check (
      order_expiry between '10 minutes' and '30 days'
    ),
  add column orders_per_hour integer not null default 20
    constraint settings_orders_per_hour_is_positive check (orders_per_hour > 0);

-- The seed adds the types to new databases. Here, so that no submission meets a database that lacks them.
insert into public.job_types (
  name, description, has_handler, on_failure, max_failures, backoff, backoff_max, timeout,
  owner_running_limit, version, is_paid
)
select n.name, n.description, true, 'fail_run', n.max_failures, '2 s', '5 min', '2 min', n.owner_running_limit, 1, false
from (
  values
    ('open_order', 'Opens an order at Paymob and returns the checkout page.', 8, 5),
    ('inquire_orders', 'Asks Paymob for the transactions of orders.', 3, null)
) as n (name, description, max_failures, owner_running_limit)
where exists (select from public.job_types as t where t.name = 'write_outline')
on conflict on constraint job_types_pkey do nothing;
