-- app.tg_dramas__record_deleted_media
--
-- Writes      deleted_media; enqueues remove_deleted_media
-- Why         by trigger, because a drama is also deleted with its user and by hand. A drama that
--             never had an image is recorded, too: whether it has objects, only the store knows
create or replace function app.tg_dramas__record_deleted_media()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  insert into app.deleted_media (drama_id, deleted_at, remove_at)
  select d.id, app.now(), app.now()
  from old_dramas as d
  order by d.id
  -- A drama was saved again with the id of a deleted one, and is deleted now.
  on conflict on constraint deleted_media_pkey do update
    set
      deleted_at = excluded.deleted_at,
      remove_at = excluded.remove_at,
      attempts = 0,
      claim_id = null;
  if found then
    perform app.enqueue_media_removal();
  end if;

  return null;
end
$$;

comment on function app.tg_dramas__record_deleted_media() is
  'Records the dramas whose images and videos a worker must delete, and wakes a worker.';
