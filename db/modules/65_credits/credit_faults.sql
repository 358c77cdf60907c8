-- ops.credit_faults
--
-- Called by   operators, as postgres; app.check_credits
-- Why         reads each table once and groups by hash, so the time grows with the number of rows
create or replace view ops.credit_faults
  with (security_invoker = on)
as
with grants as (
  select
    g.user_id,
    sum(g.remaining) as remaining,
    sum(g.reserved) as reserved,
    sum(g.due) as due
  from public.credit_grants as g
  where g.ended_at is null
  group by g.user_id
),
holds as (
  select h.user_id, sum(h.amount) as amount
  from public.credit_holds as h
  where h.status = 'open'
  group by h.user_id
),
entries as (
  select
    e.user_id,
    sum(e.amount) as amount,
    sum(e.amount) filter (where e.kind in ('debt', 'repayment')) as owed
  from public.credit_entries as e
  where e.user_id is not null
  group by e.user_id
)
select u.id as user_id, null::uuid as grant_id, null::uuid as hold_id, f.fault, f.expected, f.found
from public.users as u
left join grants as g on g.user_id = u.id
left join holds as h on h.user_id = u.id
left join entries as e on e.user_id = u.id
cross join lateral (
  values
    ('balance_differs_from_grants', coalesce(g.remaining, 0), u.credits::bigint),
    ('balance_differs_from_ledger', coalesce(e.amount, 0), u.credits::bigint - u.credits_owed),
    ('debt_differs_from_ledger', -coalesce(e.owed, 0), u.credits_owed::bigint),
    ('held_differs_from_holds', coalesce(h.amount, 0), u.credits_held::bigint),
    ('held_differs_from_grants', coalesce(g.reserved, 0), u.credits_held::bigint),
    ('refund_exceeds_debt', least(coalesce(g.due, 0), u.credits_owed), coalesce(g.due, 0))
) as f (fault, expected, found)
where f.expected <> f.found
union all
select g.user_id, g.id, null, f.fault, f.expected, f.found
from public.credit_grants as g
left join (
  select p.grant_id, sum(p.amount) as amount
  from app.credit_hold_grants as p
  group by p.grant_id
) as p on p.grant_id = g.id
left join (
  select e.grant_id, sum(e.amount) as amount
  from public.credit_entries as e
  where e.user_id is not null and e.kind not in ('debt', 'repayment')
  group by e.grant_id
) as e on e.grant_id = g.id
cross join lateral (
  values
    ('grant_differs_from_ledger', coalesce(e.amount, 0), g.remaining::bigint),
    ('reserved_differs_from_holds', coalesce(p.amount, 0), g.reserved::bigint),
    ('ended_grant_has_credits', 0, case when g.ended_at is not null then g.remaining else 0 end)
) as f (fault, expected, found)
where f.expected <> f.found
union all
select h.user_id, null, h.id, f.fault, f.expected, f.found
from public.credit_holds as h
left join (
  select p.hold_id, sum(p.amount) as amount
  from app.credit_hold_grants as p
  group by p.hold_id
) as p on p.hold_id = h.id
left join app.runs as r on r.id = h.run_id and r.finished_at is null
cross join lateral (
  values
    ('hold_differs_from_grants', coalesce(p.amount, 0), h.amount::bigint),
    (
      'hold_outlives_run',
      0,
      case
        when r.id is null
          and not exists (select from app.callback_faults as c where c.run_id = h.run_id)
        then h.amount
        else 0
      end
    )
) as f (fault, expected, found)
where h.status = 'open' and f.expected <> f.found;

comment on view ops.credit_faults is
$$Balances, grants and holds that do not add up; always empty.

Compares ledger, grants, holds and balances of each user, and lists open holds whose run has ended.
Entries without a user, of deleted users, are not part of it. docs/operations.md says what to do.$$;

revoke all on ops.credit_faults from anon, authenticated, service_role;
