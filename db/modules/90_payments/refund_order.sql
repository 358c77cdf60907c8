-- app.refund_order
--
-- Writes      orders, order_refunds, users; as app.take_back_credits
-- Idempotent  each transaction counts once; a total that is not higher changes nothing
-- Locks       the caller holds the order and its user
create or replace function app.refund_order(
  order_id uuid,
  payment_id uuid,
  inout kind text,
  out status text,
  out reason text
)
  returns record
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_order public.orders;
  v_done app.order_fulfilments;
  v_callback app.payment_callbacks;
  v_transaction_id bigint;
  v_is_child boolean;
  v_total bigint;
begin
  select o.* into v_order
  from public.orders as o
  where o.id = refund_order.order_id;
  select f.* into v_done
  from app.order_fulfilments as f
  where f.order_id = v_order.id;
  if not found then
    status := 'parked';
    reason := 'payment_missing';
    return;
  end if;

  select c.* into v_callback
  from app.payment_callbacks as c
  where c.payment_id = refund_order.payment_id;
  v_transaction_id := (v_callback.signed ->> 'id')::bigint;
  v_is_child := v_callback.signed ->> 'has_parent_transaction' = 'true';
  status := 'suspicious';
  reason := case
    when v_is_child
      and coalesce(v_callback.hints ->> 'parent_transaction', '') <> ''
      and v_callback.hints ->> 'parent_transaction' <> v_done.transaction_id::text
      and v_callback.hints ->> 'parent_transaction' is distinct from v_done.parent_id::text
      then 'parent_differs'
    when not v_is_child
      and v_transaction_id <> v_done.transaction_id
      and v_transaction_id is distinct from v_done.parent_id
      then 'transaction_differs'
  end;
  if reason is not null then
    return;
  end if;

  if v_is_child then
    v_total := (v_callback.signed ->> 'amount_cents')::bigint + coalesce(
      (
        select sum(r.amount_minor)
        from app.order_refunds as r
        where r.order_id = v_order.id and r.transaction_id <> v_transaction_id
      ),
      0
    );
    if v_total > v_order.amount_minor then
      reason := 'refunds_exceed_payment';
      return;
    end if;
    insert into app.order_refunds (transaction_id, order_id, amount_minor, created_at)
    values (
      v_transaction_id, v_order.id, (v_callback.signed ->> 'amount_cents')::integer, app.now()
    )
    on conflict on constraint order_refunds_pkey do nothing;
  elsif refund_order.kind = 'void' then
    v_total := v_order.amount_minor::bigint;
  else
    -- From an inquiry: Paymob itself has answered, so unsigned fields count.
    v_total := case
      when v_callback.hints ->> 'refunded_amount_cents' ~ '^[0-9]{1,10}$'
        then (v_callback.hints ->> 'refunded_amount_cents')::bigint
    end;
    if coalesce(v_total not between 0 and v_order.amount_minor, true) then
      reason := 'amount_differs';
      return;
    end if;
    -- The reports that caused this inquiry.
    update public.payments as p
    set status = 'duplicate', reason = null, judged_at = app.now()
    from app.payment_callbacks as c
    where p.order_id = v_order.id
      and p.status = 'pending'
      and p.reason = 'inquiry_needed'
      and c.payment_id = any (array[p.id])
      and case
        when c.hints ->> 'refunded_amount_cents' ~ '^[0-9]{1,10}$'
          then (c.hints ->> 'refunded_amount_cents')::bigint <= v_total
        else true
      end;
  end if;

  if v_total <= v_order.refunded_minor then
    status := 'duplicate';
    return;
  end if;
  perform app.take_back_order(
    v_order.id,
    v_total::integer,
    case
      when v_total < v_order.amount_minor then 'part_refunded'
      when refund_order.kind = 'void' then 'voided'
      else 'refunded'
    end
  );
  status := 'applied';
end
$$;

comment on function app.refund_order(uuid, uuid, text) is
$$Applies a refund or a void of an order that is paid.

The refunded amount is the sum of the refund transactions, or the total that an inquiry confirms:
the higher one counts. Returns kind, status and reason of the payment: applied, duplicate, parked
(the payment has not come), or suspicious.$$;
