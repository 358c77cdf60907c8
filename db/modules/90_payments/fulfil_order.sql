-- app.fulfil_order
--
-- Writes      as app.fulfil_orders and app.judge_payments_of
-- Idempotent  once per order and per transaction
-- Locks       the caller holds the order and its user
create or replace function app.fulfil_order(
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
  v_user public.users;
  v_done app.order_fulfilments;
  v_transaction_id bigint := (
    select p.transaction_id from public.payments as p where p.id = fulfil_order.payment_id
  );
begin
  select o.* into v_order
  from public.orders as o
  where o.id = fulfil_order.order_id;
  select f.* into v_done
  from app.order_fulfilments as f
  where f.order_id = v_order.id;
  if found then
    status := case
      when v_done.transaction_id = v_transaction_id then 'duplicate'
      else 'suspicious'
    end;
    reason := case when status = 'suspicious' then 'paid_twice' end;
    return;
  end if;

  status := 'suspicious';
  select u.* into v_user
  from public.users as u
  where u.id = v_order.user_id;
  if exists (
    select from app.order_fulfilments as f where f.transaction_id = v_transaction_id
  ) then
    reason := 'transaction_used';
    return;
  end if;
  if v_user.credits > 1000000000 - v_order.credits then
    reason := 'credits_too_many';
    return;
  end if;

  if v_order.kind = 'plan' then
    perform
    from public.plans as p
    where p.id = v_order.item_id
    for key share;
    if not found then
      reason := 'plan_missing';
      return;
    end if;
  end if;

  v_done.order_id := v_order.id;
  v_done.transaction_id := v_transaction_id;
  -- Refunds of a captured authorisation may name the authorisation.
  v_done.parent_id := (
    select (c.hints ->> 'parent_transaction')::bigint
    from app.payment_callbacks as c
    where c.payment_id = fulfil_order.payment_id
      and fulfil_order.kind = 'capture'
      and c.hints ->> 'parent_transaction' ~ '^[1-9][0-9]{0,17}$'
  );
  perform app.fulfil_orders(array[v_done]);
  status := 'applied';

  -- Refunds that came before the payment.
  perform app.judge_payments_of(m.paymob_order_id)
  from app.paymob_orders as m
  where m.order_id = v_order.id;
end
$$;

comment on function app.fulfil_order(uuid, uuid, text) is
$$Gives a user the credits that an order pays for, and the plan until plan_ends_at.

Returns kind, status and reason of the payment: applied, duplicate, or suspicious with paid_twice
(another transaction has paid the order), transaction_used, credits_too_many or plan_missing.$$;
