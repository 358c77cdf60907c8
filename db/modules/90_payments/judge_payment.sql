-- app.judge_payment
--
-- Writes      payments; as app.fulfil_order and app.refund_order
-- Idempotent  a payment that was applied is not applied again
-- Locks       the caller holds the order and its user, if the order is known
-- Why         the rules that decide which reports count are here and in app.classify_payment. A
--             suspicious payment changes nothing, so the genuine payment is still applied
create or replace function app.judge_payment(payment_id uuid)
  returns public.payments
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_payment public.payments;
  v_callback app.payment_callbacks;
  v_order public.orders;
  v_verdict record;
  v_is_part boolean;
begin
  select p.* into v_payment
  from public.payments as p
  where p.id = judge_payment.payment_id;
  if v_payment.kind = 'token' or v_payment.source = 'opening' or v_payment.status = 'applied' then
    return v_payment;
  end if;

  select c.* into v_callback
  from app.payment_callbacks as c
  where c.payment_id = v_payment.id;
  v_order := app.find_paymob_order(v_callback.paymob_order_id);
  v_verdict := app.classify_payment(v_callback.signed, v_callback.hints, v_order, v_payment.source);
  if v_verdict.status = 'applied' and v_verdict.kind not in ('refund', 'void') then
    v_verdict := app.fulfil_order(v_order.id, v_payment.id, v_verdict.kind);
  elsif v_verdict.status = 'applied' then
    v_is_part := case
      when v_callback.hints ->> 'refunded_amount_cents' ~ '^[0-9]{1,10}$'
        then (v_callback.hints ->> 'refunded_amount_cents')::bigint < v_order.amount_minor
    end;
    -- An inquiry that shows a partly refunded payment proves the payment and the refund. A payment
    -- that was refunded in full fulfils nothing: its refund would only end the user's plan.
    if v_payment.source = 'inquiry'
      and v_order.paid_at is null
      and v_verdict.kind = 'refund'
      and v_callback.signed ->> 'has_parent_transaction' = 'false'
      and v_callback.signed ->> 'is_auth' = 'false'
      and v_is_part
    then
      perform app.fulfil_order(v_order.id, v_payment.id, 'payment');
    end if;
    v_verdict := app.refund_order(v_order.id, v_payment.id, v_verdict.kind);
  end if;
  if v_order.id is not null and v_verdict.status not in ('applied', 'duplicate') then
    perform app.note_attempt(v_order.id, v_verdict.status, v_verdict.kind, v_verdict.reason);
  end if;
  update public.payments as p
  set
    order_id = v_order.id,
    user_id = v_order.user_id,
    kind = v_verdict.kind,
    status = v_verdict.status,
    reason = v_verdict.reason,
    judged_at = app.now()
  where p.id = v_payment.id
  returning p.* into v_payment;

  return v_payment;
end
$$;

comment on function app.judge_payment(uuid) is
  'Judges a stored report of Paymob, applies it if it counts, and returns the payment.';
