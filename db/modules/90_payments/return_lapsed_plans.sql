-- app.return_lapsed_plans
--
-- Called by   schedule return-lapsed-plans
-- Writes      users, credit_periods; as app.notify
-- Locks       the users, with skip locked
create or replace function app.return_lapsed_plans()
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
  v_now constant timestamptz := app.now();
  v_user_ids uuid[];
begin
  v_user_ids := array(
    select u.id
    from public.users as u
    where u.plan_ends_at <= v_now
    order by u.plan_ends_at
    -- Each user's row and notification are events of Realtime: ADR 24.
    limit 150
    for no key update skip locked
  );
  update public.users as u
  set plan_id = 'free', plan_ends_at = null
  where u.id = any (v_user_ids);
  -- The credits of the current free period are due.
  update app.credit_periods as c
  set next_at = v_now
  where c.user_id = any (v_user_ids);
  delete from app.plan_notices as n
  where n.user_id = any (v_user_ids);
  perform app.notify(
    i.id,
    'plan_ended',
    'Your plan has ended',
    'You are on the free plan now. Your bought credits stay.'
  )
  from unnest(v_user_ids) as i (id);

  return cardinality(v_user_ids);
end
$$;

comment on function app.return_lapsed_plans() is
$$Returns up to 150 users whose plan has ended to the free plan, and tells them. Returns the number
of users.$$;
