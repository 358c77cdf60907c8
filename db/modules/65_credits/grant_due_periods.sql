-- app.grant_due_periods
--
-- Called by   schedule grant-due-periods
-- Writes      as app.grant_periods
-- Locks       up to 150 users, with skip locked
create or replace function app.grant_due_periods()
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
  v_user_ids uuid[] := array(
    select c.user_id
    from app.credit_periods as c
    where c.next_at <= app.now()
    order by c.next_at
    -- A user's row, and perhaps a notification, are events of Realtime: ADR 24.
    limit 150
  );
begin
  v_user_ids := app.try_lock_credits(v_user_ids);
  if v_user_ids <> '{}' then
    perform app.grant_periods(v_user_ids);
  end if;

  return cardinality(v_user_ids);
end
$$;

comment on function app.grant_due_periods() is
$$Gives up to 150 users whose next period has begun the credits of their plan. Returns how many
users it looked at.$$;
