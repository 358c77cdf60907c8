-- app.release_holds
--
-- Called by   products, as callback on_run_ended or inside this callback
-- Writes      as app.apply_credits
-- Idempotent  skips runs without an open hold
-- Locks       the users: app.lock_credits. The engine holds the runs
create or replace function app.release_holds(run_ids bigint[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_movements app.credit_movement[];
begin
  if not app.lock_holds(release_holds.run_ids) then
    return;
  end if;

  v_movements := array(
    select (
      'release', h.user_id, p.grant_id, h.id, h.run_id, null, -p.amount, null, null, null, null,
      null
    )::app.credit_movement
    from public.credit_holds as h
    -- Index lookup even on an empty table: ADR 16.
    join app.credit_hold_grants as p on p.hold_id = any (array[h.id])
    where h.run_id = any (release_holds.run_ids) and h.status = 'open'
    order by h.run_id, p.grant_id
  );
  if v_movements <> '{}' then
    perform app.apply_credits(v_movements || app.find_given_back(v_movements));
  end if;
end
$$;

comment on function app.release_holds(bigint[]) is
$$Callback on_run_ended: gives back what the open holds of these runs reserve.

Credits that return to a refunded or expired grant are taken in the same transaction.$$;
