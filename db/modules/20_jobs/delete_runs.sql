-- app.tg_users__delete_runs
--
-- Writes      runs, and by trigger their steps; lanes; the rows that on_run_ended writes
-- Locks       the runs of the users, lowest id first; then the rows that callbacks lock; then the
--             lanes
create or replace function app.tg_users__delete_runs()
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
declare
  v_owner_ids uuid[] := array(select u.id from old_users as u);
  v_run_ids bigint[];
begin
  v_run_ids := array(
    select r.id
    from app.runs as r
    where r.owner_id = any (v_owner_ids)
    order by r.id
    for update
  );
  perform app.cancel_runs(v_run_ids);

  delete from app.runs as r
  where r.id = any (v_run_ids);
  delete from app.lanes as l
  where l.owner_id = any (v_owner_ids);

  return null;
end
$$;

comment on function app.tg_users__delete_runs() is
  'Deletes the runs and lanes of deleted users; cancels open runs first.';
