-- app.lock_holds
--
-- Locks       the users of the open holds: app.lock_credits
create or replace function app.lock_holds(run_ids bigint[])
  returns boolean
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_user_ids uuid[] := array(
    select distinct h.user_id
    from public.credit_holds as h
    where h.run_id = any (lock_holds.run_ids) and h.status = 'open'
  );
begin
  if v_user_ids = '{}' then
    return false;
  end if;

  perform app.lock_credits(v_user_ids);

  return true;
end
$$;

comment on function app.lock_holds(bigint[]) is
  'Locks the credits of the users who have open holds of these runs. Returns false without open '
  'holds. Read the holds in the next statement.';
