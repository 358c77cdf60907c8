-- app.judge_payments_of
--
-- Writes      as app.judge_payment
-- Locks       the caller holds the order and its user
create or replace function app.judge_payments_of(paymob_order_id bigint)
  returns void
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
begin
  -- Payments first, because a refund waits for the payment.
  perform app.judge_payment(p.id)
  from (
    select p.id
    from app.payment_callbacks as c
    -- A subquery with offset 0, which the planner does not turn into a join. Only the primary key
    -- has this order, so the planner reads no other index from end to end: ADR 16.
    cross join lateral (
      select n.*
      from public.payments as n
      where n.id = any (array[c.payment_id])
      order by n.id
      offset 0
    ) as p
    where c.paymob_order_id = judge_payments_of.paymob_order_id
      and (
        p.status = 'parked'
        or (p.status = 'suspicious' and p.reason = 'order_unknown')
      )
    order by p.kind in ('refund', 'void'), p.created_at, p.id
  ) as p;
end
$$;

comment on function app.judge_payments_of(bigint) is
  'Judges the parked and unknown payments of an order again, by Paymob''s id of the order.';
