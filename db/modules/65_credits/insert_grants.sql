-- app.insert_grants
--
-- Writes      as app.apply_credits
-- Locks       the caller holds the users: app.lock_credits
create or replace function app.insert_grants(
  new_grants public.credit_grants[],
  reason text,
  idempotency_key text default null
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
  v_movements app.credit_movement[];
begin
  v_movements := array(
    select (
      m.kind, g.user_id, g.id, null, null, m.credits, null, m.owed, null, null,
      insert_grants.reason, insert_grants.idempotency_key
    )::app.credit_movement
    from unnest(insert_grants.new_grants) as g
    join public.users as u on u.id = any (array[g.user_id])
    cross join lateral (
      values
        (
          case g.source when 'adjustment' then 'adjustment' else 'grant' end,
          g.amount - least(g.amount, u.credits_owed),
          0
        ),
        ('repayment', 0, -least(g.amount, u.credits_owed))
    ) as m (kind, credits, owed)
  );
  -- Credits that open holds reserve may be due for a debt. If the new credits repay the debt, the
  -- reserved credits are due no longer.
  v_movements := v_movements || array(
    select (
      'repayment', d.user_id, d.id, null, null, null, null, null,
      -least(d.due, d.upto - d.owed), null, null, null
    )::app.credit_movement
    from (
      select
        g.id,
        g.user_id,
        g.due,
        u.credits_owed - least(n.amount, u.credits_owed) as owed,
        sum(g.due) over (
          partition by g.user_id order by g.created_at, g.id rows unbounded preceding
        ) as upto
      from unnest(insert_grants.new_grants) as n
      join public.users as u on u.id = any (array[n.user_id]) and u.credits_owed > 0
      join public.credit_grants as g
        on g.user_id = any (array[u.id]) and g.ended_at is null and g.due > 0
    ) as d
    where d.upto > d.owed
  );

  perform app.apply_credits(v_movements, insert_grants.new_grants);
end
$$;

comment on function app.insert_grants(public.credit_grants[], text, text) is
$$Inserts grants, at most one per user. A grant repays the debt of its user first.

new_grants: whole rows, with remaining 0. reason, idempotency_key: for the entries.$$;
