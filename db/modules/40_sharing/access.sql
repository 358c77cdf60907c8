-- Anyone may insert a flow with its nodes, a card or a session, and its share. Clients read only
-- the rows that the statement inserts, and rows that are shared as public; get_shared_resource also
-- opens unlisted shares. Clients update and delete no rows. service_role reads everything and
-- deletes shares.

revoke all on public.shared_resources, public.flows, public.agents, public.data_store_nodes,
  public.if_nodes, public.characters, public.scenarios, public.sessions
  from anon, authenticated, service_role;

grant insert (id, name, description, nodes, edges, response_template) on public.flows
  to anon, authenticated;
grant insert (
  id, flow_id, name, prompt_messages, model_tier, temperature, max_tokens, top_p,
  frequency_penalty, presence_penalty, response_format
) on public.agents to anon, authenticated;
grant insert (id, flow_id, name, color, data_store_fields) on public.data_store_nodes
  to anon, authenticated;
grant insert (id, flow_id, name, conditions) on public.if_nodes to anon, authenticated;
grant insert (
  id, title, name, description, example_dialogue, lorebook, tags, creator, version, card_summary,
  conceptual_origin, icon_asset_id
) on public.characters to anon, authenticated;
grant insert (
  id, title, name, description, first_messages, lorebook, tags, creator, version, card_summary,
  conceptual_origin, icon_asset_id
) on public.scenarios to anon, authenticated;
grant insert (
  id, title, all_cards, user_character_card_id, turn_ids, background_id, cover_id, translation,
  chat_styles, flow_id
) on public.sessions to anon, authenticated;
grant insert (id, resource_type, resource_id, expires_at, visibility) on public.shared_resources
  to anon, authenticated;

-- Every column, so that `select=*` works; the policies decide which rows.
grant select (
  id, name, description, nodes, edges, response_template, sealed_at, created_at, size_bytes
) on public.flows to anon, authenticated;
grant select (
  id, flow_id, name, prompt_messages, model_tier, temperature, max_tokens, top_p,
  frequency_penalty, presence_penalty, response_format, size_bytes
) on public.agents to anon, authenticated;
grant select (id, flow_id, name, color, data_store_fields, size_bytes) on public.data_store_nodes
  to anon, authenticated;
grant select (id, flow_id, name, conditions, size_bytes) on public.if_nodes to anon, authenticated;
grant select (
  id, title, name, description, example_dialogue, lorebook, tags, creator, version, card_summary,
  conceptual_origin, icon_asset_id, sealed_at, created_at, updated_at, size_bytes
) on public.characters to anon, authenticated;
grant select (
  id, title, name, description, first_messages, lorebook, tags, creator, version, card_summary,
  conceptual_origin, icon_asset_id, sealed_at, created_at, updated_at, size_bytes
) on public.scenarios to anon, authenticated;
grant select (
  id, title, all_cards, user_character_card_id, turn_ids, background_id, cover_id, translation,
  chat_styles, flow_id, sealed_at, created_at, updated_at, size_bytes
) on public.sessions to anon, authenticated;
grant select (id, resource_type, resource_id, expires_at, visibility, created_at)
  on public.shared_resources
  to anon, authenticated;

grant select on public.flows, public.agents, public.data_store_nodes, public.if_nodes,
  public.characters, public.scenarios, public.sessions
  to service_role;
grant select, delete on public.shared_resources to service_role;

-- Constraints and triggers check an insert: they see and lock rows that a policy's subquery, which
-- runs under the caller's own RLS, cannot. The policies only ask that the request came through the
-- API.
drop policy if exists insert_client on public.flows;
create policy insert_client on public.flows
  for insert
  to anon, authenticated
  with check (sealed_at is null);

drop policy if exists insert_client on public.agents;
create policy insert_client on public.agents
  for insert
  to anon, authenticated
  with check ((select auth.role()) in ('anon', 'authenticated'));

drop policy if exists insert_client on public.data_store_nodes;
create policy insert_client on public.data_store_nodes
  for insert
  to anon, authenticated
  with check ((select auth.role()) in ('anon', 'authenticated'));

drop policy if exists insert_client on public.if_nodes;
create policy insert_client on public.if_nodes
  for insert
  to anon, authenticated
  with check ((select auth.role()) in ('anon', 'authenticated'));

drop policy if exists insert_client on public.characters;
create policy insert_client on public.characters
  for insert
  to anon, authenticated
  with check (sealed_at is null);

drop policy if exists insert_client on public.scenarios;
create policy insert_client on public.scenarios
  for insert
  to anon, authenticated
  with check (sealed_at is null);

drop policy if exists insert_client on public.sessions;
create policy insert_client on public.sessions
  for insert
  to anon, authenticated
  with check (sealed_at is null);

drop policy if exists insert_client on public.shared_resources;
create policy insert_client on public.shared_resources
  for insert
  to anon, authenticated
  with check (expires_at <= (select app.now()) + interval '1 hour');

-- Shows only the row that this statement is inserting. For ON CONFLICT and RETURNING, Postgres
-- checks the select policies for the new row. Trigger _020_name_row stores the key of the row. So
-- clients can repeat an insert with resolution=ignore-duplicates, and .insert().select() works.
drop policy if exists select_new on public.flows;
create policy select_new on public.flows
  for select
  to anon, authenticated
  using (sealed_at is null and current_setting('plinth.new_row', true) = 'flows ' || id);

drop policy if exists select_new on public.characters;
create policy select_new on public.characters
  for select
  to anon, authenticated
  using (sealed_at is null and current_setting('plinth.new_row', true) = 'characters ' || id);

drop policy if exists select_new on public.scenarios;
create policy select_new on public.scenarios
  for select
  to anon, authenticated
  using (sealed_at is null and current_setting('plinth.new_row', true) = 'scenarios ' || id);

drop policy if exists select_new on public.sessions;
create policy select_new on public.sessions
  for select
  to anon, authenticated
  using (sealed_at is null and current_setting('plinth.new_row', true) = 'sessions ' || id);

drop policy if exists select_new on public.shared_resources;
create policy select_new on public.shared_resources
  for select
  to anon, authenticated
  using (current_setting('plinth.new_row', true) = 'shared_resources ' || id);

drop policy if exists select_new on public.agents;
create policy select_new on public.agents
  for select
  to anon, authenticated
  using (current_setting('plinth.new_row', true) = 'agents ' || flow_id || ' ' || id);

drop policy if exists select_new on public.data_store_nodes;
create policy select_new on public.data_store_nodes
  for select
  to anon, authenticated
  using (current_setting('plinth.new_row', true) = 'data_store_nodes ' || flow_id || ' ' || id);

drop policy if exists select_new on public.if_nodes;
create policy select_new on public.if_nodes
  for select
  to anon, authenticated
  using (current_setting('plinth.new_row', true) = 'if_nodes ' || flow_id || ' ' || id);

drop policy if exists select_public on public.shared_resources;
create policy select_public on public.shared_resources
  for select
  to anon, authenticated
  using (visibility = 'public' and expires_at > (select app.now()));

-- The subqueries below run as the caller, who sees live public shares only.
drop policy if exists select_public on public.flows;
create policy select_public on public.flows
  for select
  to anon, authenticated
  using (exists (
    select
    from public.shared_resources as s
    where s.resource_id = flows.id and s.resource_type = 'flow'
  ));

drop policy if exists select_public on public.agents;
create policy select_public on public.agents
  for select
  to anon, authenticated
  using (exists (
    select
    from public.shared_resources as s
    where s.resource_id = agents.flow_id and s.resource_type = 'flow'
  ));

drop policy if exists select_public on public.data_store_nodes;
create policy select_public on public.data_store_nodes
  for select
  to anon, authenticated
  using (exists (
    select
    from public.shared_resources as s
    where s.resource_id = data_store_nodes.flow_id and s.resource_type = 'flow'
  ));

drop policy if exists select_public on public.if_nodes;
create policy select_public on public.if_nodes
  for select
  to anon, authenticated
  using (exists (
    select
    from public.shared_resources as s
    where s.resource_id = if_nodes.flow_id and s.resource_type = 'flow'
  ));

drop policy if exists select_public on public.characters;
create policy select_public on public.characters
  for select
  to anon, authenticated
  using (exists (
    select
    from public.shared_resources as s
    where s.resource_id = characters.id and s.resource_type = 'card_character'
  ));

drop policy if exists select_public on public.scenarios;
create policy select_public on public.scenarios
  for select
  to anon, authenticated
  using (exists (
    select
    from public.shared_resources as s
    where s.resource_id = scenarios.id and s.resource_type = 'card_scenario'
  ));

drop policy if exists select_public on public.sessions;
create policy select_public on public.sessions
  for select
  to anon, authenticated
  using (exists (
    select
    from public.shared_resources as s
    where s.resource_id = sessions.id and s.resource_type = 'session'
  ));

-- A client who may select a card or a session may select its icon, background and cover. (The
-- package of a session has the URLs of the icons inside it.)
drop policy if exists select_public on public.assets;
create policy select_public on public.assets
  for select
  to anon, authenticated
  using (
    exists (select from public.characters as c where c.icon_asset_id = assets.id)
    or exists (select from public.scenarios as s where s.icon_asset_id = assets.id)
    or exists (select from public.sessions as s where s.background_id = assets.id)
    or exists (select from public.sessions as s where s.cover_id = assets.id)
  );

-- The gate sends the hint to a caller who may not write the table.
insert into app.table_hints (table_name, hint)
values
  ('flows', 'Rows of flows do not change: insert a new flow, or call share_flow.'),
  ('agents', 'Insert a new flow with its agents, or call share_flow.'),
  ('data_store_nodes', 'Insert a new flow with its nodes, or call share_flow.'),
  ('if_nodes', 'Insert a new flow with its nodes, or call share_flow.'),
  ('characters', 'Insert a new character, or call share_card.'),
  ('scenarios', 'Insert a new scenario, or call share_card.'),
  ('sessions', 'Insert a new session, or call share_session.'),
  ('shared_resources', 'Call revoke_share to end a share.')
on conflict on constraint table_hints_pkey do update set hint = excluded.hint;
