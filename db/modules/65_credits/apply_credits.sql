-- app.apply_credits
--
-- Writes      users.credits, credits_held and credits_owed; credit_grants, credit_holds,
--             credit_hold_grants, credit_entries; notifications
-- Errors      23514 if a balance or a grant would leave its bounds
-- Locks       the caller holds the users: app.lock_credits
-- Why         the only function that changes credits: triggers refuse every statement outside of
--             it. The same movements change the grants, the ledger and the balances, so their sums
--             cannot differ
create or replace function app.apply_credits(
  movements app.credit_movement[],
  new_grants public.credit_grants[] default '{}',
  new_holds public.credit_holds[] default '{}'
)
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
  v_low record;
begin
  -- The triggers let statements pass until the end of this function. An error undoes the setting.
  perform set_config('plinth.changes_credits', 'on', true);
  if apply_credits.new_grants <> '{}' then
    -- A new grant is written once, with its movements: a second version of a row costs as much as
    -- the first.
    insert into public.credit_grants (
      id, user_id, source, amount, remaining, reserved, taken_back, due, reference,
      idempotency_key, expires_at, created_at, ended_at
    )
    select
      n.id, n.user_id, n.source, n.amount, m.credits, 0, 0, 0, n.reference,
      n.idempotency_key, n.expires_at, n.created_at, case when m.credits = 0 then v_now end
    from unnest(apply_credits.new_grants) as n
    join (
      select c.grant_id, sum(coalesce(c.credits, 0))::integer as credits
      from unnest(apply_credits.movements) as c
      group by c.grant_id
    ) as m
      on m.grant_id = n.id;
  end if;
  if apply_credits.new_holds <> '{}' then
    insert into public.credit_holds
    select n.*
    from unnest(apply_credits.new_holds) as n;
    insert into app.credit_hold_grants (hold_id, grant_id, amount)
    select m.hold_id, m.grant_id, m.reserved
    from unnest(apply_credits.movements) as m
    where m.kind = 'hold';
  end if;

  update public.credit_grants as g
  set
    remaining = g.remaining + m.credits,
    reserved = g.reserved + m.reserved,
    -- A captured hold gives nothing back, so its part of the refund stays a debt.
    due = least(g.due + m.due, g.reserved + m.reserved),
    taken_back = g.taken_back + m.taken_back,
    ended_at = case when g.remaining + m.credits = 0 then coalesce(g.ended_at, v_now) end
  from (
    select
      n.grant_id,
      sum(coalesce(n.credits, 0))::integer as credits,
      sum(coalesce(n.reserved, 0))::integer as reserved,
      sum(coalesce(n.due, 0))::integer as due,
      sum(coalesce(n.taken_back, 0))::integer as taken_back
    from unnest(apply_credits.movements) as n
    where n.grant_id is not null
      and not exists (
        select from unnest(apply_credits.new_grants) as w where w.id = n.grant_id
      )
    group by n.grant_id
  ) as m
  where g.id = any (array[m.grant_id]);

  if apply_credits.new_holds = '{}' then
    insert into public.credit_entries (
      user_id, kind, amount, grant_id, hold_id, run_id, charged, reason, idempotency_key, created_at
    )
    select
      m.user_id,
      m.kind,
      coalesce(m.credits, 0) - coalesce(m.owed, 0),
      m.grant_id,
      case when m.kind = 'charge' then m.hold_id end,
      m.run_id,
      case
        when m.kind = 'charge' and row_number() over (partition by m.hold_id order by m.n) = 1
          then -sum(m.credits) over (partition by m.hold_id)
      end,
      m.reason,
      m.idempotency_key,
      v_now
    from unnest(apply_credits.movements) with ordinality as m (
      kind, user_id, grant_id, hold_id, run_id, credits, reserved, owed, due, taken_back, reason,
      idempotency_key, n
    )
    where coalesce(m.credits, 0) <> coalesce(m.owed, 0)
    order by m.n;

    update public.credit_holds as h
    set status = m.status, ended_at = v_now
    from (
      select distinct
        n.hold_id,
        case n.kind when 'charge' then 'captured' else 'released' end as status
      from unnest(apply_credits.movements) as n
      where n.kind in ('charge', 'release')
    ) as m
    where h.id = any (array[m.hold_id]);
    if found then
      delete from app.credit_hold_grants as p
      using unnest(apply_credits.movements) as m
      where m.kind in ('charge', 'release')
        and p.hold_id = any (array[m.hold_id])
        and p.grant_id = m.grant_id;
    end if;
  end if;

  for v_low in
    with changed as (
      update public.users as u
      set
        credits = u.credits + m.credits,
        credits_held = u.credits_held + m.reserved,
        credits_owed = u.credits_owed + m.owed
      from (
        select
          n.user_id,
          sum(coalesce(n.credits, 0))::integer as credits,
          sum(coalesce(n.reserved, 0))::integer as reserved,
          sum(coalesce(n.owed, 0))::integer as owed,
          -- The end of a period causes no notice: the next credits may be due.
          bool_or(n.credits < 0 and n.kind <> 'expiry') as is_spent
        from unnest(apply_credits.movements) as n
        group by n.user_id
      ) as m
      where u.id = any (array[m.user_id])
      returning u.id, u.plan_id, u.credits, u.credits - m.credits as before, m.is_spent
    )
    select c.id, c.credits, p.low_credits_at
    from changed as c
    join public.plans as p on p.id = any (array[c.plan_id])
    where c.is_spent and c.credits <= p.low_credits_at and c.before > p.low_credits_at
  loop
    perform app.notify(
      v_low.id,
      'credits_low',
      'Your credits are running low',
      format(
        'You have %s %s left.',
        v_low.credits,
        case v_low.credits when 1 then 'credit' else 'credits' end
      ),
      jsonb_build_object('credits', v_low.credits, 'low_credits_at', v_low.low_credits_at)
    );
  end loop;
  perform set_config('plinth.changes_credits', '', true);
end
$$;

comment on function app.apply_credits(
  app.credit_movement[], public.credit_grants[], public.credit_holds[]
) is
$$Applies movements of credits to grants, holds, ledger and balances.

movements: see app.credit_movement. A movement of kind hold reserves for a hold of new_holds; the
kinds charge and release end their hold; every other kind is that of an entry. new_grants: each
has a movement, whose credits are what remains of the grant. Notifies a user whose balance falls to
plans.low_credits_at.$$;
