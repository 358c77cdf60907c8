-- app.tg_users__record_deleted_folders
--
-- Writes      deleted_folders, generation_files
-- Why         only Storage knows whether a folder has objects, so each deleted user gets rows.
--             Fires after the runs of the user have ended (_100_delete_runs), so that no worker can
--             reserve another file
create or replace function app.tg_users__record_deleted_folders()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
begin
  delete from app.generation_files as f
  where f.user_id = any (array(select o.id from old_users as o));
  insert into app.deleted_folders (user_id, bucket_id, deleted_at, delete_at)
  select o.id, b.id, app.now(), app.now()
  from old_users as o
  cross join unnest(array['user_uploads', 'generations']) as b (id)
  order by o.id, b.id
  -- The id was used before: an earlier user with this id was deleted, too.
  on conflict on constraint deleted_folders_pkey do update
    set
      deleted_at = excluded.deleted_at,
      delete_at = excluded.delete_at,
      attempts = 0,
      claim_id = null;

  return null;
end
$$;

comment on function app.tg_users__record_deleted_folders() is
  'Records the folders of deleted users, whose objects a worker deletes.';
