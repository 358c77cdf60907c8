-- The database of origin 000, for its backend: the columns that its code uses, its policies as it
-- writes them, and "similar policies" where it says so. The origin names no indexes; keys and
-- foreign keys get one anyway, because otherwise the backend would read whole tables. Run once, as
-- postgres, in a database without Plinth.
create table public.shared_resources (
  id uuid primary key,
  resource_type text not null,
  resource_id uuid not null,
  expires_at timestamptz not null,
  created_at timestamptz not null default now()
);

create table public.flows (
  id uuid primary key,
  name text,
  description text,
  nodes jsonb,
  edges jsonb,
  response_template jsonb,
  created_at timestamptz not null default now()
);

create table public.agents (
  id text primary key,
  flow_id uuid not null references public.flows (id) on delete cascade,
  name text,
  prompt_messages jsonb,
  model_tier text,
  temperature double precision,
  max_tokens integer,
  top_p double precision,
  frequency_penalty double precision,
  presence_penalty double precision,
  response_format jsonb
);
create index agents_flow_id_idx on public.agents (flow_id);

create table public.data_store_nodes (
  id text primary key,
  flow_id uuid not null references public.flows (id) on delete cascade,
  name text,
  color text,
  data_store_fields jsonb
);
create index data_store_nodes_flow_id_idx on public.data_store_nodes (flow_id);

create table public.if_nodes (
  id text primary key,
  flow_id uuid not null references public.flows (id) on delete cascade,
  name text,
  conditions jsonb
);
create index if_nodes_flow_id_idx on public.if_nodes (flow_id);

alter table public.shared_resources enable row level security;
alter table public.flows enable row level security;
alter table public.agents enable row level security;
alter table public.data_store_nodes enable row level security;
alter table public.if_nodes enable row level security;

create policy "Allow anonymous insert for sharing"
on public.shared_resources
for insert
to anon
with check (
  expires_at <= now() + interval '1 hour'
);

create policy "Allow public read for non-expired"
on public.shared_resources
for select
to public
using (expires_at > now());

create policy "Allow public read for flows"
on public.flows
for select
to public
using (
  id in (
    select resource_id from public.shared_resources
    where expires_at > now() and resource_type = 'flow'
  )
);

create policy "Allow public read for agents"
on public.agents
for select
to public
using (
  flow_id in (
    select resource_id from public.shared_resources
    where expires_at > now() and resource_type = 'flow'
  )
);

create policy "Allow public read for data_store_nodes"
on public.data_store_nodes
for select
to public
using (
  flow_id in (
    select resource_id from public.shared_resources
    where expires_at > now() and resource_type = 'flow'
  )
);

create policy "Allow public read for if_nodes"
on public.if_nodes
for select
to public
using (
  flow_id in (
    select resource_id from public.shared_resources
    where expires_at > now() and resource_type = 'flow'
  )
);

create policy "Allow anonymous insert for flows" on public.flows
  for insert to anon with check (true);
create policy "Allow anonymous insert for agents" on public.agents
  for insert to anon with check (true);
create policy "Allow anonymous insert for data_store_nodes" on public.data_store_nodes
  for insert to anon with check (true);
create policy "Allow anonymous insert for if_nodes" on public.if_nodes
  for insert to anon with check (true);

grant select, insert on all tables in schema public to anon, authenticated, service_role;

-- Writes the rows of the origin's client in one call, to fill the database.
create schema bench;

create function bench.share_flow(flow json, share_id uuid)
  returns void
  language sql
  set search_path = ''
begin atomic
  insert into public.flows (id, name, description, nodes, edges, response_template)
  select share_flow.share_id, f.name, f.description, f.nodes, f.edges, f."responseTemplate"
  from json_to_record(share_flow.flow)
    as f(name text, description text, nodes jsonb, edges jsonb, "responseTemplate" jsonb);

  insert into public.agents (
    id, flow_id, name, prompt_messages, model_tier, temperature, max_tokens, top_p,
    frequency_penalty, presence_penalty,
    response_format
  )
  select
    e.key, share_flow.share_id, a.name, a."promptMessages", a."modelTier", a.temperature,
    a."maxTokens", a."topP",
    a."frequencyPenalty", a."presencePenalty", a."responseFormat"
  from json_each(share_flow.flow -> 'agents') as e
  cross join lateral json_to_record(e.value) as a(
    name text, "promptMessages" jsonb, "modelTier" text, temperature double precision,
    "maxTokens" integer, "topP" double precision, "frequencyPenalty" double precision,
    "presencePenalty" double precision,
    "responseFormat" jsonb
  );

  insert into public.data_store_nodes (id, flow_id, name, color, data_store_fields)
  select e.key, share_flow.share_id, d.name, d.color, d."dataStoreFields"
  from json_each(share_flow.flow -> 'dataStoreNodes') as e
  cross join lateral json_to_record(e.value) as d(name text, color text, "dataStoreFields" jsonb);

  insert into public.if_nodes (id, flow_id, name, conditions)
  select e.key, share_flow.share_id, i.name, i.conditions
  from json_each(share_flow.flow -> 'ifNodes') as e
  cross join lateral json_to_record(e.value) as i(name text, conditions jsonb);

  insert into public.shared_resources (id, resource_type, resource_id, expires_at)
  values (share_flow.share_id, 'flow', share_flow.share_id, now() + interval '1 hour');
end;
