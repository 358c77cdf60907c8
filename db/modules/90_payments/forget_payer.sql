-- app.tg_users__forget_payer
--
-- Writes      orders, order_details, payment_callbacks
-- Why         orders and payments of a deleted user stay for the books, without name, email, phone
--             and card. This runs before the deletion of the user, because the deletion sets
--             user_id to null
create or replace function app.tg_users__forget_payer()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
begin
  update public.orders as o
  set checkout_url = null, error = null
  where o.user_id = old.id and (o.checkout_url is not null or o.error is not null);
  update app.payment_callbacks as c
  set body = '', hints = '{}', merchant_order_id = null, signed = app.strip_signed(c.signed)
  where c.payment_id = any (
    array(
      select p.id
      from public.payments as p
      where p.user_id = old.id
      union
      -- Reports that came before the order was opened, TOKEN callbacks included.
      select c.payment_id
      from public.orders as o
      join app.paymob_orders as m on m.order_id = any (array[o.id])
      join app.payment_callbacks as c on c.paymob_order_id = any (array[m.paymob_order_id])
      where o.user_id = old.id
      union
      select p.id
      from app.payment_callbacks as c
      join public.payments as p on p.id = any (array[c.payment_id]) and p.order_id is null
      where c.merchant_order_id is not null
        -- An array, so that the plan looks each order up in the index.
        and left(c.merchant_order_id, 36) = any (
          array(select o.id::text from public.orders as o where o.user_id = old.id)
        )
    )
  );
  update app.order_details as d
  set
    user_id = null,
    -- A client chooses the key, so the key may have personal data.
    idempotency_key = d.order_id::text,
    billing = null,
    next_inquiry_at = null
  where d.user_id = old.id;

  return old;
end
$$;

comment on function app.tg_users__forget_payer() is
  'Removes personal data from the orders and payments of a user who is being deleted.';
