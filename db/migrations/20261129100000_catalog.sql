-- The catalogue of the photo app, what plans cost and give, the columns of balances, notifications, and exports.
set local lock_timeout = '5s';

-- Null: no limit. Plans of operators get no credits, no price and no limit of dramas.
alter table public.plans
  add column price_minor integer not null default 0
    constraint plans_price_minor_is_not_negative check (price_minor >= 0),
  add column currency text not null default 'EGP'
    constraint plans_currency_is_a_code check (currency ~ '^[A-Z]{3}$'),
  add column period interval not null default '1 month'
    constraint plans_period_is_possible check (period > '0' and period <= '10 years'),
  add column credits_per_period integer not null default 0
    constraint plans_credits_per_period_is_not_negative check (credits_per_period >= 0),
  add column low_credits_at integer
    constraint plans_low_credits_at_is_not_negative check (low_credits_at >= 0),
  add column dramas_per_day integer
    constraint plans_dramas_per_day_is_not_negative check (dramas_per_day >= 0),
  add column dramas_open integer
    constraint plans_dramas_open_is_not_negative check (dramas_open >= 0),
  add column enabled boolean not null default true,
  add column sort integer not null default 0;

-- Only plans that are as this project brought them. The seed has the same values for new databases.
update public.plans as p
set
  description = 'The plan of every new user.',
  credits_per_period = 10, low_credits_at = 2, dramas_per_day = 20, dramas_open = 5, sort = 10
where p.id = 'free'
  and p.name = 'Free'
  and p.description in ('', 'The plan of every new user.')
  and (p.images_per_day, p.videos_per_day, p.bytes_stored) = (200, 20, 1073741824)
  and (p.tasks_running, p.tasks_open, p.tasks_per_day) = (2, 10, 50);
update public.plans as p
set
  price_minor = 39900, credits_per_period = 500, low_credits_at = 50, dramas_per_day = 50,
  dramas_open = 20, sort = 30
where p.id = 'pro'
  and p.name = 'Pro'
  and p.description = 'For users who create something every day.'
  and (p.images_per_day, p.videos_per_day, p.bytes_stored) = (2000, 200, 21474836480)
  and (p.tasks_running, p.tasks_open, p.tasks_per_day) = (10, 200, 1000);

alter table public.users
  add column plan_ends_at timestamptz,
  add column credits_held integer not null default 0,
  add column credits_owed integer not null default 0,
  add constraint users_credits_cover_holds check (
    -- Written out, because a dump flattens a "between".
    credits_held >= 0 and credits_held <= credits and credits_owed >= 0
  ) not valid;
-- Room for new versions of a row on its page: balances change often, and no index has them.
alter table public.users set (fillfactor = 80);

alter table app.media_days
  add column dramas integer not null default 0,
  add constraint media_days_dramas_are_not_negative check (dramas >= 0) not valid;

-- Null: the plan has no limit.
alter type public.media_limits
  add attribute dramas_per_day integer,
  add attribute dramas_started integer,
  add attribute dramas_left integer;

alter table app.settings
  add column exports_per_day integer not null default 10
    constraint settings_exports_per_day_is_positive check (exports_per_day > 0),
  add column exports_at_once integer not null default 2
    constraint settings_exports_at_once_is_possible check (exports_at_once between 1 and 100),
  add column export_max_bytes integer not null default 67108864
    constraint settings_export_max_bytes_is_possible check (
      export_max_bytes between 1 and 268435456
    );

create table public.credit_packs (
  id text primary key,
  name text not null,
  description text not null default '',
  credits integer not null,
  price_minor integer not null,
  currency text not null default 'EGP',
  enabled boolean not null default true,
  sort integer not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint credit_packs_id_is_a_slug check (id ~ '^[a-z][a-z0-9_]{0,39}$'),
  constraint credit_packs_name_is_short check (char_length(name) between 1 and 100),
  constraint credit_packs_description_is_short check (char_length(description) <= 500),
  constraint credit_packs_credits_are_positive check (credits > 0),
  constraint credit_packs_price_minor_is_not_negative check (price_minor >= 0),
  constraint credit_packs_currency_is_a_code check (currency ~ '^[A-Z]{3}$')
);
alter table public.credit_packs enable row level security;

create table public.tools (
  id uuid primary key default gen_random_uuid(),
  key text not null,
  name text not null,
  description text not null default '',
  category text not null,
  kind text not null default 'image',
  prompt text not null,
  model text not null,
  parameters jsonb not null default '{"type": "object", "additionalProperties": false}',
  result_schema jsonb,
  cost integer not null default 1,
  enabled boolean not null default true,
  version integer not null default 1,
  sort integer not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint tools_key_is_unique unique (key),
  constraint tools_key_is_a_slug check (key ~ '^[a-z][a-z0-9_]{0,39}$'),
  constraint tools_name_is_short check (char_length(name) between 1 and 100),
  constraint tools_description_is_short check (char_length(description) <= 500),
  constraint tools_category_is_a_slug check (category ~ '^[a-z][a-z0-9_]{0,39}$'),
  constraint tools_kind_is_known check (kind in ('image', 'analysis')),
  constraint tools_prompt_is_short check (char_length(prompt) between 1 and 8000),
  constraint tools_model_is_plain check (model ~ '^[a-z0-9][a-z0-9._-]{0,99}$'),
  constraint tools_parameters_are_small check (octet_length(parameters::text) <= 16384),
  constraint tools_result_schema_is_small check (octet_length(result_schema::text) <= 16384),
  constraint tools_analysis_has_result_schema check (
    (kind = 'analysis') = (result_schema is not null)
  ),
  constraint tools_cost_is_possible check (cost between 1 and 10000),
  constraint tools_version_is_positive check (version > 0)
);
alter table public.tools enable row level security;

create table public.hairstyles (
  id uuid primary key default gen_random_uuid(),
  key text not null,
  name text not null,
  category text not null,
  prompt text not null,
  image_url text,
  enabled boolean not null default true,
  sort integer not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint hairstyles_key_is_unique unique (key),
  constraint hairstyles_key_is_a_slug check (key ~ '^[a-z][a-z0-9_]{0,39}$'),
  constraint hairstyles_name_is_short check (char_length(name) between 1 and 100),
  constraint hairstyles_category_is_a_slug check (category ~ '^[a-z][a-z0-9_]{0,39}$'),
  constraint hairstyles_prompt_is_short check (char_length(prompt) between 1 and 200),
  constraint hairstyles_image_url_is_http check (
    image_url ~ '^https?://' and char_length(image_url) <= 2000
  )
);
alter table public.hairstyles enable row level security;

create table public.colors (
  id uuid primary key default gen_random_uuid(),
  key text not null,
  name text not null,
  category text not null,
  hex text not null,
  prompt text not null,
  enabled boolean not null default true,
  sort integer not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint colors_key_is_unique unique (key),
  constraint colors_key_is_a_slug check (key ~ '^[a-z][a-z0-9_]{0,39}$'),
  constraint colors_name_is_short check (char_length(name) between 1 and 100),
  constraint colors_category_is_a_slug check (category ~ '^[a-z][a-z0-9_]{0,39}$'),
  constraint colors_hex_is_a_color check (hex ~ '^#[0-9a-f]{6}$'),
  constraint colors_prompt_is_short check (char_length(prompt) between 1 and 200)
);
alter table public.colors enable row level security;

create table public.notifications (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references public.users (id) on delete cascade,
  kind text not null,
  title text not null,
  body text not null default '',
  data jsonb not null default '{}',
  read_at timestamptz,
  created_at timestamptz not null default now(),
  constraint notifications_kind_is_a_slug check (kind ~ '^[a-z][a-z0-9_]{0,39}$'),
  constraint notifications_title_is_short check (char_length(title) between 1 and 200),
  constraint notifications_body_is_short check (char_length(body) <= 2000),
  constraint notifications_data_is_a_small_object check (
    jsonb_typeof(data) = 'object' and octet_length(data::text) <= 8192
  )
);
create index notifications_user_id_idx on public.notifications (user_id, created_at desc, id desc);
alter table public.notifications enable row level security;

-- The rows that the seed has brought, so that a row that an operator deletes stays deleted.
create table app.seeds (
  relation text not null,
  key text not null,
  primary key (relation, key)
);
alter table app.seeds enable row level security;

create table app.exports (
  name text primary key,
  function text not null,
  constraint exports_name_is_a_slug check (name ~ '^[a-z][a-z0-9_]{0,39}$')
);
alter table app.exports enable row level security;
