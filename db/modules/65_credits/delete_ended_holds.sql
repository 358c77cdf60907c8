-- app.delete_ended_holds
--
-- Called by   schedule delete-ended-holds
-- Writes      credit_holds. The ledger keeps the charges
-- Locks       the holds, with skip locked
create or replace function app.delete_ended_holds()
  returns integer
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_deleted integer;
begin
  delete from public.credit_holds as h
  where h.id = any (
    array(
      select e.id
      from public.credit_holds as e
      where e.ended_at < app.now() - (select s.credit_hold_retention from app.settings as s)
      order by e.ended_at
      limit 5000
      for update skip locked
    )
  );
  get diagnostics v_deleted = row_count;

  return v_deleted;
end
$$;

comment on function app.delete_ended_holds() is
$$Deletes up to 5,000 holds that ended longer ago than app.settings.credit_hold_retention. Returns
the number of deleted holds.$$;
