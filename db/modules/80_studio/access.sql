-- Anyone may read the whole catalogue, disabled rows too, because Realtime sends no update of a row
-- that a client may not read; service_role writes it. A signed-in user reads and deletes their own
-- generations and changes is_favourite; functions write everything else.

revoke all on public.tools, public.hairstyles, public.colors from anon, authenticated, service_role;

grant select (
  id, key, name, description, category, kind, prompt, model, parameters, result_schema, cost,
  enabled, version, sort, created_at, updated_at
) on public.tools to anon, authenticated;
grant select (
  id, key, name, category, prompt, image_url, enabled, sort, created_at, updated_at
) on public.hairstyles to anon, authenticated;
grant select (id, key, name, category, hex, prompt, enabled, sort, created_at, updated_at)
  on public.colors to anon, authenticated;

grant select, delete on public.tools, public.hairstyles, public.colors to service_role;
grant insert (
  id, key, name, description, category, kind, prompt, model, parameters, result_schema, cost,
  enabled, sort
) on public.tools to service_role;
grant insert (id, key, name, category, prompt, image_url, enabled, sort)
  on public.hairstyles to service_role;
grant insert (id, key, name, category, hex, prompt, enabled, sort)
  on public.colors to service_role;
grant update (
  key, name, description, category, kind, prompt, model, parameters, result_schema, cost, enabled,
  sort
) on public.tools to service_role;
grant update (key, name, category, prompt, image_url, enabled, sort)
  on public.hairstyles to service_role;
grant update (key, name, category, hex, prompt, enabled, sort)
  on public.colors to service_role;

drop policy if exists select_all on public.tools;
create policy select_all on public.tools
  for select
  to anon, authenticated
  using (true);

drop policy if exists select_all on public.hairstyles;
create policy select_all on public.hairstyles
  for select
  to anon, authenticated
  using (true);

drop policy if exists select_all on public.colors;
create policy select_all on public.colors
  for select
  to anon, authenticated
  using (true);

revoke all on public.generations from anon, authenticated, service_role;

grant select (
  id, user_id, tool_id, tool_key, kind, status, tool_parameters, url, result, error, credits,
  is_favourite, run_id, created_at, updated_at, completed_at
) on public.generations to authenticated;
grant update (is_favourite) on public.generations to authenticated;
grant delete on public.generations to authenticated;
grant select on public.generations to service_role;

drop policy if exists select_own on public.generations;
create policy select_own on public.generations
  for select
  to authenticated
  using (user_id = (select auth.uid()));

drop policy if exists update_own on public.generations;
create policy update_own on public.generations
  for update
  to authenticated
  using (user_id = (select auth.uid()))
  with check (user_id = (select auth.uid()));

drop policy if exists delete_own on public.generations;
create policy delete_own on public.generations
  for delete
  to authenticated
  using (user_id = (select auth.uid()));

-- The files of users, if the database has Supabase Storage or its shim: in bucket user_uploads a
-- user has one folder, named after the user. Bucket generations is public by URL. Only its listing
-- and its metadata are for the user of the folder, once the generation is completed. The worker
-- writes the bucket, and bypasses policies.
-- No name has "." or ".." or nothing as a segment: a server between the worker and Storage could
-- resolve the segment, and the worker would delete a file of another folder.
do $$
begin
  if to_regclass('storage.buckets') is null or to_regclass('storage.objects') is null then
    raise notice 'storage.objects does not exist, so users cannot upload photos.';
    return;
  end if;

  -- For a database that got Storage after the migration that adds both buckets.
  insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types)
  values
    (
      'user_uploads', 'user_uploads', false, 20971520,
      array['image/jpeg', 'image/png', 'image/webp', 'image/heic', 'image/heif']
    ),
    ('generations', 'generations', true, null, array['image/jpeg', 'image/png', 'image/webp'])
  on conflict (id) do nothing;

  -- A folder is a range of Storage's index on (bucket_id, name collate "C"): "0" follows "/". The
  -- third comparison repeats the condition, because the planner expects fewer rows from it. So the
  -- planner uses the range for every query of Storage, even if the query begins at the first name
  -- of the bucket.
  drop policy if exists select_own_files on storage.objects;
  create policy select_own_files on storage.objects
    for select
    to authenticated
    using (
      bucket_id in ('user_uploads', 'generations')
      and name collate "C" >= (select auth.uid())::text || '/'
      and name collate "C" < (select auth.uid())::text || '0'
      and (storage.foldername(name))[1] = (select auth.uid())::text
      and (bucket_id = 'user_uploads' or app.is_result_file(name))
    );

  -- The token of a deleted user is valid for a while.
  drop policy if exists insert_own_uploads on storage.objects;
  create policy insert_own_uploads on storage.objects
    for insert
    to authenticated
    with check (
      bucket_id = 'user_uploads'
      and (storage.foldername(name))[1]
        = (select u.id from public.users as u where u.id = (select auth.uid()))::text
      and name !~ '(^|/)[.]{0,2}(/|$)'
    );

  drop policy if exists update_own_uploads on storage.objects;
  create policy update_own_uploads on storage.objects
    for update
    to authenticated
    using (
      bucket_id = 'user_uploads'
      and (storage.foldername(name))[1] = (select auth.uid())::text
    )
    with check (
      bucket_id = 'user_uploads'
      and (storage.foldername(name))[1]
        = (select u.id from public.users as u where u.id = (select auth.uid()))::text
      and name !~ '(^|/)[.]{0,2}(/|$)'
    );

  drop policy if exists delete_own_uploads on storage.objects;
  create policy delete_own_uploads on storage.objects
    for delete
    to authenticated
    using (
      bucket_id = 'user_uploads'
      and (storage.foldername(name))[1] = (select auth.uid())::text
    );
end
$$;

-- The gate sends the hint to a caller who may not write the table.
insert into app.table_hints (table_name, hint)
values
  ('tools', 'Operators change the catalogue.'),
  ('hairstyles', 'Operators change the catalogue.'),
  ('colors', 'Operators change the catalogue.'),
  ('generations', 'Call process_image, analyze_face or cancel_generation.')
on conflict on constraint table_hints_pkey do update set hint = excluded.hint;
