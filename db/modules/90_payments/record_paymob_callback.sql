-- sidecar.record_paymob_callback
--
-- Called by   the sidecar, for each callback that sidecar.record_paymob_callbacks has left out
-- Writes      as app.record_payment
-- Idempotent  a repeated callback only raises payment_callbacks.times
-- Why         never raises because of the content of a callback: a strange callback is stored as
--             suspicious. So each error is a fault of the database, and Paymob has to send the
--             callback again
create or replace function sidecar.record_paymob_callback(callback jsonb)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_payment public.payments;
begin
  v_payment := app.record_payment(
    'callback',
    callback ->> 'type',
    coalesce(left(callback ->> 'hmac', 200), ''),
    coalesce(callback ->> 'body', ''),
    case when jsonb_typeof(callback -> 'signed') = 'object' then callback -> 'signed' else '{}' end,
    case when jsonb_typeof(callback -> 'hints') = 'object' then callback -> 'hints' else '{}' end
  );

  return jsonb_build_object(
    'payment_id', v_payment.id,
    'status', v_payment.status,
    'reason', v_payment.reason
  );
end
$$;

comment on function sidecar.record_paymob_callback(jsonb) is
$$Stores and judges a callback whose signature the sidecar has verified.

callback: { type: TRANSACTION or TOKEN, hmac, body (as it came; a TOKEN without its token), signed:
the signed fields as texts, hints: unsigned fields as texts }. Returns { payment_id, status, reason
}. Only for the sidecar. From origin 004.$$;

grant execute on function sidecar.record_paymob_callback(jsonb) to sidecar;
