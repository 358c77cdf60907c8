-- app.classify_payment
--
-- Why         Paymob signs neither merchant_order_id nor is_refund, is_void and
--             refunded_amount_cents. A customer can send the signed fields of their own payment
--             with other unsigned fields. So no unsigned field can pay for an order: it only
--             tells a refund from a void, and makes a report suspicious if it disagrees
create or replace function app.classify_payment(
  signed jsonb,
  hints jsonb,
  paymob_order public.orders,
  source text,
  out kind text,
  out status text,
  out reason text
)
  returns record
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_is_child constant boolean := signed ->> 'has_parent_transaction' = 'true';
  v_is_capture constant boolean := v_is_child and signed ->> 'is_capture' = 'true';
  v_is_refund constant boolean := coalesce(hints ->> 'is_refund' = 'true', false);
  v_is_void constant boolean := coalesce(hints ->> 'is_void' = 'true', false);
  v_reference constant text := hints ->> 'merchant_order_id';
begin
  kind := case
    when v_is_capture then 'capture'
    when v_is_child and v_is_void and not v_is_refund then 'void'
    when v_is_child and v_is_refund and not v_is_void then 'refund'
    when v_is_child then 'unknown'
    when signed ->> 'is_voided' = 'true' then 'void'
    when signed ->> 'is_refunded' = 'true' then 'refund'
    when signed ->> 'is_auth' = 'true' then 'authorisation'
    else 'payment'
  end;
  status := 'suspicious';
  reason := app.find_field_fault(classify_payment.signed);
  if reason is not null then
    return;
  end if;

  if (classify_payment.paymob_order).id is null then
    reason := 'order_unknown';
    if exists (
      select
      from public.orders as o
      where o.id = case
          when app.is_uuid(left(v_reference, 36)) then left(v_reference, 36)::uuid
        end
        and o.status in ('created', 'failed')
        and o.user_id is not null
    ) then
      status := 'parked';
      reason := 'order_not_opened';
    end if;
    return;
  end if;

  reason := case
    when (classify_payment.paymob_order).user_id is null then 'user_deleted'
    when v_reference <> ''
      and left(v_reference, 36) <> (classify_payment.paymob_order).id::text
      then 'order_differs'
    when signed ->> 'currency' <> (classify_payment.paymob_order).currency
      then 'currency_differs'
    when kind = 'unknown' then 'kind_unknown'
    -- These reports have the amount of the whole payment.
    when (not v_is_child or kind in ('capture', 'void'))
      and (signed ->> 'amount_cents')::bigint <> (classify_payment.paymob_order).amount_minor
      then 'amount_differs'
    when kind = 'refund'
      and v_is_child
      and (signed ->> 'amount_cents')::bigint
        not between 1 and (classify_payment.paymob_order).amount_minor
      then 'amount_differs'
    when kind in ('payment', 'capture', 'authorisation') and (v_is_refund or v_is_void)
      then 'hints_differ'
  end;
  if reason is not null then
    return;
  end if;

  if signed ->> 'pending' = 'true' then
    status := 'pending';
  elsif signed ->> 'success' <> 'true' or signed ->> 'error_occured' = 'true' then
    status := 'declined';
  elsif kind = 'authorisation' then
    status := 'noted';
  elsif kind = 'refund' and not v_is_child and classify_payment.source = 'callback' then
    -- The refunded amount is not signed: an inquiry has to confirm the amount.
    status := 'pending';
    reason := 'inquiry_needed';
  else
    status := 'applied';
  end if;
end
$$;

comment on function app.classify_payment(jsonb, jsonb, public.orders, text) is
$$Returns the kind of a report of Paymob, and whether the report counts.

paymob_order: the order by Paymob's signed id, or a row of nulls. Returns kind, status and reason of
the payment; status applied: the caller has to apply the report.$$;
