-- app.tg_users__delete_credits
--
-- Writes      credit_holds, credit_hold_grants; credit_entries.user_id. A foreign key deletes
--             credit_grants and credit_periods
-- Why         fires before the runs of the user end, so that no hold is released for a deleted user
create or replace function app.tg_users__delete_credits()
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
  v_user_ids uuid[] := array(select o.id from old_users as o);
  v_hold_ids uuid[];
begin
  with deleted as (
    delete from public.credit_holds as h
    where h.user_id = any (v_user_ids)
    returning h.id
  )
  select coalesce(array_agg(d.id), '{}') into v_hold_ids
  from deleted as d;
  delete from app.credit_hold_grants as p
  where p.hold_id = any (v_hold_ids);
  update public.credit_entries as e
  set user_id = null
  where e.user_id = any (v_user_ids);

  return null;
end
$$;

comment on function app.tg_users__delete_credits() is
  'Deletes the holds of deleted users, and removes the users from the ledger.';
