-- app.tg_users__renew_period
--
-- Writes      credit_periods
-- Why         next_at is the end of a period of the former plan. A user who gets a free plan would
--             wait until then for credits
create or replace function app.tg_users__renew_period()
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
begin
  update app.credit_periods as c
  set next_at = app.now()
  where c.user_id = new.id and c.next_at > app.now();
  return null;
end
$$;

comment on function app.tg_users__renew_period() is
  'Lets the schedule look at a user whose plan changed: the credits of the current period of a '
  'free plan are due.';
