-- ops.suspicious_payments
--
-- Called by   operators, as postgres
create or replace view ops.suspicious_payments
  with (security_invoker = on)
as
select
  p.id,
  p.reason,
  p.kind,
  p.order_id,
  p.user_id,
  c.paymob_order_id,
  c.merchant_order_id,
  p.transaction_id,
  p.amount_minor,
  p.currency,
  p.created_at,
  c.times,
  c.last_received_at
from public.payments as p
join app.payment_callbacks as c on c.payment_id = p.id
where p.status = 'suspicious';

comment on view ops.suspicious_payments is
$$Reports of Paymob that do not fit what is known, with the reason; they have changed nothing.

docs/guide/payments.md explains the reasons. After a correction, call replay_callback(id).$$;

revoke all on ops.suspicious_payments from anon, authenticated, service_role;
