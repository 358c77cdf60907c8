-- app.record_payment
--
-- Writes      payments, payment_callbacks; as app.judge_payment
-- Idempotent  a repeated report only raises payment_callbacks.times
-- Locks       the order and its user, if the order is known, before the report is stored: the same
--             report at the same time waits for the first
create or replace function app.record_payment(
  source text,
  type text,
  hmac text,
  body text,
  signed jsonb,
  hints jsonb
)
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
  v_now constant timestamptz := app.now();
  -- A TOKEN names the order in a field of its own.
  v_order_text constant text := coalesce(signed ->> 'order.id', signed ->> 'order_id');
  v_paymob_order_id constant bigint := case
    when v_order_text ~ '^[1-9][0-9]{0,17}$' then v_order_text::bigint
  end;
  v_variants_max constant integer := 20;
  v_reference constant text := left(hints ->> 'merchant_order_id', 200);
  v_order public.orders;
  v_is_forgotten boolean;
  v_payment public.payments;
  v_callback app.payment_callbacks;
begin
  v_order := app.find_paymob_order(v_paymob_order_id);
  if v_order.id is null and v_paymob_order_id is not null then
    perform app.lock_paymob_order(v_paymob_order_id);
    v_order := app.find_paymob_order(v_paymob_order_id);
  end if;
  if v_order.id is not null then
    perform app.lock_orders(array[v_order.id]);
    -- The user may have been deleted while this transaction waited.
    v_order := app.find_paymob_order(v_paymob_order_id);
  end if;

  -- The callback of a deleted user is stored without its body and without personal data.
  v_is_forgotten := case
    when v_order.id is not null then v_order.user_id is null
    when app.is_uuid(left(v_reference, 36))
      then exists (
        select
        from public.orders as o
        where o.id = left(v_reference, 36)::uuid and o.user_id is null
      )
    else false
  end;

  insert into app.payment_callbacks as c (
    payment_id, hmac, digest, paymob_order_id, merchant_order_id, body, signed, hints,
    last_received_at
  )
  values (
    gen_random_uuid(), record_payment.hmac, sha256(convert_to(record_payment.body, 'UTF8')),
    v_paymob_order_id,
    case when not v_is_forgotten then v_reference end,
    case when v_is_forgotten then '' else record_payment.body end,
    case
      when v_is_forgotten then app.strip_signed(record_payment.signed)
      else record_payment.signed
    end,
    case when v_is_forgotten then '{}' else record_payment.hints end,
    v_now
  )
  on conflict on constraint payment_callbacks_are_unique do update set
    times = c.times + 1,
    last_received_at = v_now
  returning c.* into v_callback;
  if v_callback.times > 1 then
    select p.* into v_payment
    from public.payments as p
    where p.id = v_callback.payment_id;
    return v_payment;
  end if;

  insert into public.payments (
    id, order_id, user_id, source, kind, status, transaction_id, amount_minor, currency,
    created_at, judged_at
  )
  values (
    v_callback.payment_id,
    v_order.id,
    v_order.user_id,
    record_payment.source,
    case record_payment.type when 'TOKEN' then 'token' else 'unknown' end,
    'noted',
    case
      when record_payment.type <> 'TOKEN' and signed ->> 'id' ~ '^[1-9][0-9]{0,17}$'
        then (signed ->> 'id')::bigint
    end,
    case
      when signed ->> 'amount_cents' ~ '^[0-9]{1,18}$' then (signed ->> 'amount_cents')::bigint
    end,
    left(signed ->> 'currency', 10),
    v_now,
    v_now
  )
  returning * into v_payment;
  v_payment := app.judge_payment(v_payment.id);
  -- A customer can repeat a signed callback with ever different unsigned fields. So reports beyond
  -- the limit that change nothing are deleted.
  if record_payment.source = 'callback'
    and v_payment.status in ('suspicious', 'duplicate', 'noted', 'declined', 'pending')
    and (
      select count(*)
      from (
        select
        from app.payment_callbacks as c
        where c.hmac = record_payment.hmac
        limit v_variants_max + 1
      ) as n
    ) > v_variants_max
  then
    delete from public.payments as p
    where p.id = v_payment.id;
  end if;

  return v_payment;
end
$$;

comment on function app.record_payment(text, text, text, text, jsonb, jsonb) is
$$Stores a report of Paymob as it came, judges it, and returns the payment.

source: callback or inquiry. type: TRANSACTION or TOKEN. hmac: the signature, or "inquiry". signed:
the signed fields as texts. hints: unsigned fields. Keeps 20 different reports per signature that
change nothing.$$;
