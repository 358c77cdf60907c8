-- app.replay_callback, public.replay_callback
--
-- Called by   operators, as service_role or postgres
-- Writes      as app.judge_payment
-- Errors      PT404 payment_not_found
-- Idempotent  a payment that was applied stays as it is
-- Locks       the order and its user
create or replace function app.replay_callback(payment_id uuid)
  returns public.payments
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_order_ids uuid[];
begin
  if not exists (
    select from app.payment_callbacks as c where c.payment_id = replay_callback.payment_id
  ) then
    perform app.fail(
      404, 'payment_not_found', 'Payment not found.', 'Send the id of a row of payments.'
    );
  end if;

  -- Waits for a transaction that is opening the order.
  perform app.lock_paymob_order(c.paymob_order_id)
  from app.payment_callbacks as c
  where c.payment_id = replay_callback.payment_id
    and c.paymob_order_id is not null
    and not exists (
      select from app.paymob_orders as m where m.paymob_order_id = c.paymob_order_id
    );
  v_order_ids := array(
    select m.order_id
    from app.payment_callbacks as c
    join app.paymob_orders as m on m.paymob_order_id = any (array[c.paymob_order_id])
    where c.payment_id = replay_callback.payment_id
  );
  perform app.lock_orders(v_order_ids);

  return app.judge_payment(replay_callback.payment_id);
end
$$;

comment on function app.replay_callback(uuid) is
  'Judges a stored callback again; see public.replay_callback.';

create or replace function public.replay_callback(payment_id uuid)
  returns public.payments
  language sql
  volatile
  set search_path = ''
return app.replay_callback(payment_id);

comment on function public.replay_callback(uuid) is
$$Judges a stored report of Paymob again, and returns the payment.

Call it after a correction of a setting: the report counts if it fits now. payment_id: the id
of a row of payments. A payment that was applied stays as it is. 404 payment_not_found. Only for
service_role.$$;

grant execute on function app.replay_callback(uuid) to service_role;
grant execute on function public.replay_callback(uuid) to service_role;
