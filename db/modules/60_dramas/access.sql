-- A signed-in user reads their own dramas with characters, episodes and scenes, inserts
-- { premise, model, options, idempotency_key } to generate one (service_role for the owner_id that
-- it names), and edits title, summary and text of scenes, and title and summary of episodes.
-- Functions write everything else. Everybody reads the list of models.
--
-- Realtime sends what a user may select. So extra, scripts and prompts are in app.drama_extras,
-- app.episode_details and app.scene_details, which no client reads: get_drama_complete has them.

revoke all
  on public.ai_models, public.dramas, public.drama_characters, public.episodes, public.scenes
  from anon, authenticated, service_role;

grant select (name, kind, description, is_enabled, is_default) on public.ai_models
  to anon, authenticated, service_role;

drop policy if exists select_all on public.ai_models;
create policy select_all on public.ai_models
  for select
  to anon, authenticated
  using (true);

grant select (
  id, owner_id, external_id, title, premise, logline, genre, language, style, model, cover_url,
  options, run_id, idempotency_key, created_at, updated_at
) on public.dramas to authenticated;
grant insert (premise, model, options, idempotency_key) on public.dramas to authenticated;
grant insert (owner_id, premise, model, options, idempotency_key) on public.dramas to service_role;
grant select (
  id, drama_id, owner_id, position, name, role, description, appearance, portrait_url,
  portrait_job_id, extra, created_at, updated_at
) on public.drama_characters to authenticated;
grant select (id, drama_id, owner_id, position, title, summary, created_at, updated_at)
  on public.episodes to authenticated;
grant select (
  id, drama_id, episode_id, owner_id, position, title, summary, text, character_ids, image_url,
  image_job_id, video_url, video_job_id, audio_url, created_at, updated_at
) on public.scenes to authenticated;

grant select on public.dramas, public.drama_characters, public.episodes, public.scenes
  to service_role;
-- Triggers check an edit as save_drama_complete checks a document, and raise the drama's version.
grant update (title, summary) on public.episodes to authenticated;
grant update (title, summary, text) on public.scenes to authenticated;

drop policy if exists select_own on public.dramas;
create policy select_own on public.dramas
  for select
  to authenticated
  using (owner_id = (select auth.uid()));

-- Trigger _050_generate sets owner_id before this check.
drop policy if exists insert_own on public.dramas;
create policy insert_own on public.dramas
  for insert
  to authenticated
  with check (owner_id = (select auth.uid()));

drop policy if exists select_own on public.drama_characters;
create policy select_own on public.drama_characters
  for select
  to authenticated
  using (owner_id = (select auth.uid()));

drop policy if exists select_own on public.episodes;
create policy select_own on public.episodes
  for select
  to authenticated
  using (owner_id = (select auth.uid()));

drop policy if exists select_own on public.scenes;
create policy select_own on public.scenes
  for select
  to authenticated
  using (owner_id = (select auth.uid()));

drop policy if exists update_own on public.episodes;
create policy update_own on public.episodes
  for update
  to authenticated
  using (owner_id = (select auth.uid()))
  with check (owner_id = (select auth.uid()));

drop policy if exists update_own on public.scenes;
create policy update_own on public.scenes
  for update
  to authenticated
  using (owner_id = (select auth.uid()))
  with check (owner_id = (select auth.uid()));

-- The gate sends the hint to a caller who may not write the table.
insert into app.table_hints (table_name, hint)
values
  ('ai_models', 'Operators change the list of models.'),
  ('dramas', 'Call generate_drama, save_drama_complete or delete_drama.'),
  ('drama_characters', 'Call save_drama_complete with the whole drama.'),
  ('episodes', 'Change title and summary with PATCH, and the rest with save_drama_complete.'),
  ('scenes', 'Change title, summary and text with PATCH, and the rest with save_drama_complete.')
on conflict on constraint table_hints_pkey do update set hint = excluded.hint;
