-- app.tg_users__delete_media_days
--
-- Writes      media_reservations, media_returns, media_days
-- Why         a trigger of a higher number than the one that deletes runs, because the end of these
--             runs writes here, too. The reservations of a deleted user still count in the row of
--             all users
create or replace function app.tg_users__delete_media_days()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
  -- Both: an index lookup also where a plan was made on an empty table (ADR 16).
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_owner_ids uuid[] := array(select u.id from old_users as u);
begin
  delete from app.media_reservations as r
  where r.owner_id = any (v_owner_ids);
  delete from app.media_returns as r
  where r.owner_id = any (v_owner_ids);
  delete from app.media_days as d
  where d.owner_id = any (v_owner_ids);

  return null;
end
$$;

comment on function app.tg_users__delete_media_days() is
  'Deletes the reservations of deleted users, and the days of these users.';
