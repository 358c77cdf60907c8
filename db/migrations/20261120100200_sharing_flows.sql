-- Sharing: a flow and its nodes, and the share that seals them for an hour.
-- Documents are `json`, not `jsonb`: what a client sent comes out as it was, and its size is the size of its text
-- (in jsonb nine bytes, 1e131071, print as 131 KB). The price is that \u0000 must be refused here.
set local lock_timeout = '5s';

create table public.shared_resources (
  id uuid primary key default gen_random_uuid(),
  resource_type text not null,
  resource_id uuid not null,
  expires_at timestamptz not null default now() + interval '1 hour',
  visibility text not null default 'unlisted',
  created_at timestamptz not null default now(),
  constraint shared_resources_resource_type_is_known
    check (resource_type in ('flow', 'card_character', 'card_scenario', 'session')),
  constraint shared_resources_visibility_is_known check (visibility in ('unlisted', 'public')),
  constraint shared_resources_resource_is_shared_once unique (resource_id, resource_type)
);
create index shared_resources_expires_at_idx on public.shared_resources (expires_at);
create index shared_resources_public_idx on public.shared_resources (expires_at) where visibility = 'public';
alter table public.shared_resources enable row level security;
comment on table public.shared_resources is
  'Shares: each opens one sealed resource for an hour at most, by its id. Open one with get_shared_resource.';
comment on column public.shared_resources.id is 'Made by the client; whoever knows it can open the share.';
comment on column public.shared_resources.resource_type is
  'What resource_id is the id of: flow (flows), card_character (characters), card_scenario (scenarios) or session (sessions).';
comment on column public.shared_resources.expires_at is
  'The server decides: an hour from now at most, and an hour from now where the client sent a time in the past.';
comment on column public.shared_resources.visibility is
  'unlisted: opens through its id only. public: the share and its resource can be listed by anyone.';

-- Beside the share, not in it: lists of shares stay narrow, and no column of theirs has to be hidden. Deferred, since
-- share_flow brings the package before the trigger on the share would build one.
create table app.share_packages (
  share_id uuid primary key references public.shared_resources (id) on delete cascade deferrable initially deferred,
  package json not null,
  request_hash bigint,
  constraint share_packages_fits check (octet_length(package::text) <= 5242880)
);
-- Not compressed: it lives an hour, is written once and read often.
alter table app.share_packages alter column package set storage external;
comment on column app.share_packages.request_hash is
  'What the share was made of, to know a repeated request by; null where a client inserted it directly.';
alter table app.share_packages enable row level security;
comment on table app.share_packages is 'What get_shared_resource returns: built once, when the share is made; 5 MiB at most.';

create table public.flows (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  description text,
  nodes json not null,
  edges json not null,
  response_template json,
  sealed_at timestamptz,
  created_at timestamptz not null default now(),
  size_bytes integer not null generated always as (
    octet_length(name) + coalesce(octet_length(description), 0) + octet_length(nodes::text)
    + octet_length(edges::text) + coalesce(octet_length(response_template::text), 0)
  ) stored,
  constraint flows_name_is_short check (octet_length(name) <= 1000),
  constraint flows_fits check (size_bytes <= 5242880),
  constraint flows_has_no_nul check (
    case
      when strpos(nodes::text || edges::text || coalesce(response_template::text, ''), '\u0000') = 0 then true
      else nodes::text || edges::text || coalesce(response_template::text, '') !~ '(^|[^\\])(\\\\)*\\u0000'
    end
  )
);
create index flows_unsealed_idx on public.flows (created_at) where sealed_at is null;
alter table public.flows
  alter column nodes set storage external,
  alter column edges set storage external;
alter table public.flows enable row level security;
comment on table public.flows is 'Flows that were written to be shared. Purged after an hour if they never are.';
comment on column public.flows.sealed_at is 'When it was shared. From then on neither it nor its nodes can change.';
comment on column public.flows.size_bytes is 'What it adds to its package, roughly.';

-- Node ids are the client's own, and the same flow may be shared twice: hence (flow_id, id).
create table public.agents (
  flow_id uuid not null references public.flows (id) on delete cascade,
  id text not null,
  name text,
  prompt_messages json,
  model_tier text,
  temperature double precision,
  max_tokens integer,
  top_p double precision,
  frequency_penalty double precision,
  presence_penalty double precision,
  response_format json,
  size_bytes integer not null generated always as (
    octet_length(id) + coalesce(octet_length(name), 0) + coalesce(octet_length(prompt_messages::text), 0)
    + coalesce(octet_length(model_tier), 0) + coalesce(octet_length(response_format::text), 0)
  ) stored,
  primary key (flow_id, id),
  constraint agents_id_is_short check (octet_length(id) between 1 and 200),
  constraint agents_fits check (size_bytes <= 5242880),
  constraint agents_has_no_nul check (
    case
      when strpos(coalesce(prompt_messages::text, '') || coalesce(response_format::text, ''), '\u0000') = 0 then true
      else coalesce(prompt_messages::text, '') || coalesce(response_format::text, '') !~ '(^|[^\\])(\\\\)*\\u0000'
    end
  )
);
alter table public.agents alter column prompt_messages set storage external;
alter table public.agents enable row level security;
comment on table public.agents is 'The agents of a flow.';

create table public.data_store_nodes (
  flow_id uuid not null references public.flows (id) on delete cascade,
  id text not null,
  name text,
  color text,
  data_store_fields json,
  size_bytes integer not null generated always as (
    octet_length(id) + coalesce(octet_length(name), 0) + coalesce(octet_length(color), 0)
    + coalesce(octet_length(data_store_fields::text), 0)
  ) stored,
  primary key (flow_id, id),
  constraint data_store_nodes_id_is_short check (octet_length(id) between 1 and 200),
  constraint data_store_nodes_fits check (size_bytes <= 5242880),
  constraint data_store_nodes_has_no_nul check (
    case
      when strpos(data_store_fields::text, '\u0000') = 0 then true
      else data_store_fields::text !~ '(^|[^\\])(\\\\)*\\u0000'
    end
  )
);
alter table public.data_store_nodes enable row level security;
comment on table public.data_store_nodes is 'The data stores of a flow.';

create table public.if_nodes (
  flow_id uuid not null references public.flows (id) on delete cascade,
  id text not null,
  name text,
  conditions json,
  size_bytes integer not null generated always as (
    octet_length(id) + coalesce(octet_length(name), 0) + coalesce(octet_length(conditions::text), 0)
  ) stored,
  primary key (flow_id, id),
  constraint if_nodes_id_is_short check (octet_length(id) between 1 and 200),
  constraint if_nodes_fits check (size_bytes <= 5242880),
  constraint if_nodes_has_no_nul check (
    case
      when strpos(conditions::text, '\u0000') = 0 then true
      else conditions::text !~ '(^|[^\\])(\\\\)*\\u0000'
    end
  )
);
alter table public.if_nodes enable row level security;
comment on table public.if_nodes is 'The if-nodes of a flow.';

-- What is deleted every hour is filled again in the next: giving the space back would lock readers out for a moment.
alter table public.shared_resources set (vacuum_truncate = off, toast.vacuum_truncate = off);
alter table app.share_packages set (vacuum_truncate = off, toast.vacuum_truncate = off);
alter table public.flows set (vacuum_truncate = off, toast.vacuum_truncate = off);
alter table public.agents set (vacuum_truncate = off, toast.vacuum_truncate = off);
alter table public.data_store_nodes set (vacuum_truncate = off, toast.vacuum_truncate = off);
alter table public.if_nodes set (vacuum_truncate = off, toast.vacuum_truncate = off);

create type public.share_link as (
  share_id uuid,
  url text,
  expires_at timestamptz
);
comment on type public.share_link is 'A share: its id, the page that shows it, and when it is gone.';
