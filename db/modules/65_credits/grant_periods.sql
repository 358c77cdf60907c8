-- app.grant_periods
--
-- Writes      credit_periods; as app.apply_credits
-- Idempotent  once per user and period: credit_periods.next_at, and the reference of the grant
-- Locks       the caller holds the users: app.lock_credits
create or replace function app.grant_periods(user_ids uuid[])
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
  v_now constant timestamptz := app.now();
  v_max constant integer := 1000000000;
  v_grants public.credit_grants[];
begin
  v_grants := array(
    select (
      gen_random_uuid(), u.id, 'plan', p.credits_per_period, 0, 0, 0, 0, d.reference, null,
      d.ends_at, v_now, null
    )::public.credit_grants
    from unnest(grant_periods.user_ids) as i (id)
    join app.credit_periods as c on c.user_id = any (array[i.id]) and c.next_at <= v_now
    join public.users as u on u.id = any (array[i.id])
    join public.plans as p on p.id = any (array[u.plan_id])
    cross join lateral (
      select
        f.ends_at,
        'period ' || to_char(f.starts_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US')
      from app.find_period(u.created_at, p.period, v_now) as f
    ) as d (ends_at, reference)
    where p.price_minor = 0
      and p.credits_per_period > 0
      and u.credits <= v_max - p.credits_per_period
      and not exists (
        select
        from public.credit_grants as g
        where g.user_id = any (array[u.id]) and g.source = 'plan' and g.reference = d.reference
      )
  );
  if v_grants <> '{}' then
    perform app.insert_grants(v_grants, null);
  end if;

  update app.credit_periods as c
  set next_at = d.ends_at
  from unnest(grant_periods.user_ids) as i (id)
  join public.users as u on u.id = any (array[i.id])
  join public.plans as p on p.id = any (array[u.plan_id])
  cross join lateral app.find_period(u.created_at, p.period, v_now) as d
  where c.user_id = any (array[i.id]) and c.next_at <= v_now;
end
$$;

comment on function app.grant_periods(uuid[]) is
$$Gives these users the credits of the current period of their free plan, unless they have them.

Periods count from users.created_at. A user gets no credits for periods that have passed. A user of
a plan with a price gets nothing here: the order of the plan gives its credits.$$;
