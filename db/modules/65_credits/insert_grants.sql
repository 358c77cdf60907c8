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
  v_is_owing boolean;
begin
  select
    array_agg(
      (
        m.kind, g.user_id, g.id, null, null, m.credits, null, m.owed, null, null,
        insert_grants.reason, insert_grants.idempotency_key
      )::app.credit_movement
    ),
    bool_or(m.owed < 0)
  into v_movements, v_is_owing
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
  where m.kind <> 'repayment' or m.owed < 0;
  -- Credits that open holds reserve may be due for a debt. If the new credits repay the debt, the
  -- reserved credits are due no longer.
  if v_is_owing then
    v_movements := v_movements || array(
      select (
        'repayment', d.user_id, d.id, null, null, null, null, null,
        -least(d.due, d.upto - d.owed), null, null, null
      )::app.credit_movement
      from (
        select
          g.id,
          u.id as user_id,
          g.due,
          u.credits_owed - least(n.amount, u.credits_owed) as owed,
          sum(g.due) over (
            partition by u.id order by g.created_at, g.id rows unbounded preceding
          ) as upto
        from unnest(insert_grants.new_grants) as n
        join public.users as u on u.id = any (array[n.user_id]) and u.credits_owed > 0
        -- A subquery with offset 0, which the planner does not turn into a join: ADR 16.
        cross join lateral (
          select c.id, c.due, c.created_at
          from public.credit_grants as c
          where c.user_id = any (array[u.id]) and c.ended_at is null and c.due > 0
          offset 0
        ) as g
      ) as d
      where d.upto > d.owed
    );
  end if;

  perform app.apply_credits(v_movements, insert_grants.new_grants);
end
$$;

comment on function app.insert_grants(public.credit_grants[], text, text) is
$$Inserts grants, at most one per user. A grant repays the debt of its user first.

new_grants: whole rows. reason, idempotency_key: for the entries.$$;
