-- app.expire_credits
--
-- Called by   schedule expire-credits
-- Writes      as app.apply_credits
-- Locks       the users, with skip locked
create or replace function app.expire_credits()
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
  v_grant_ids uuid[] := array(
    select g.id
    from public.credit_grants as g
    where g.expires_at <= app.now()
      and g.ended_at is null
      and g.remaining > g.reserved
    order by g.expires_at
    -- A user's row, and perhaps a notification, are events of Realtime: ADR 24.
    limit 150
  );
  v_user_ids uuid[];
  v_movements app.credit_movement[];
begin
  v_user_ids := app.try_lock_credits(
    array(
      select distinct g.user_id
      from public.credit_grants as g
      where g.id = any (v_grant_ids)
    )
  );
  v_movements := array(
    select (
      'expiry', g.user_id, g.id, null, null, g.reserved - g.remaining, null, null, null, null,
      null, null
    )::app.credit_movement
    from public.credit_grants as g
    where g.id = any (v_grant_ids)
      and g.user_id = any (v_user_ids)
      and g.expires_at <= app.now()
      and g.remaining > g.reserved
    order by g.id
  );
  if v_movements <> '{}' then
    perform app.apply_credits(v_movements);
  end if;

  return cardinality(v_movements);
end
$$;

comment on function app.expire_credits() is
$$Takes the credits that up to 150 expired grants have left and that no hold reserves. Returns the
number of grants. When a hold is released, app.release_holds takes the credits of expired grants.$$;
