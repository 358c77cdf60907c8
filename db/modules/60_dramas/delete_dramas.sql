-- app.tg_users__delete_dramas
--
-- Writes      dramas and their rows
-- Why         a trigger of a higher number than the one that deletes runs: a worker, too, locks the
--             run before the drama
create or replace function app.tg_users__delete_dramas()
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
begin
  delete from public.dramas as d
  where d.owner_id = any (array(select u.id from old_users as u));

  return null;
end
$$;

comment on function app.tg_users__delete_dramas() is 'Deletes the dramas of deleted users.';
