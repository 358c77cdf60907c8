-- app.capture_holds
--
-- Called by   products, as callback on_completed or inside this callback
-- Writes      as app.apply_credits
-- Idempotent  skips runs without an open hold
-- Locks       the users: app.lock_credits. The engine holds the runs
create or replace function app.capture_holds(run_ids bigint[])
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
  if not app.lock_holds(capture_holds.run_ids) then
    return;
  end if;

  v_movements := array(
    select (
      'charge', h.user_id, p.grant_id, h.id, h.run_id, -p.amount, -p.amount, null, null, null,
      h.reason, null
    )::app.credit_movement
    from public.credit_holds as h
    -- Index lookup even on an empty table: ADR 16.
    join app.credit_hold_grants as p on p.hold_id = any (array[h.id])
    where h.run_id = any (capture_holds.run_ids) and h.status = 'open'
    order by h.run_id, p.grant_id
  );
  if v_movements <> '{}' then
    perform app.apply_credits(v_movements);
  end if;
end
$$;

comment on function app.capture_holds(bigint[]) is
$$Callback on_completed: charges the open holds of these runs.

A step that is the root of its run has the id of its run. For another step, a product calls this
function with the id of the run.$$;
