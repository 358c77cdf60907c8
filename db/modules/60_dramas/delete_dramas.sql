-- app.tg_users__delete_dramas
--
-- Writes      dramas and all below them
-- Why         after their runs are gone: a worker, too, locks the run before the drama
create or replace function app.tg_users__delete_dramas()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
begin
  delete from public.dramas as d
  where d.owner_id = any (array(select u.id from old_users as u));

  return null;
end
$$;

comment on function app.tg_users__delete_dramas() is 'Deletes the dramas of users who are deleted.';
