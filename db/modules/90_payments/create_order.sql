-- app.create_order, public.create_order
--
-- Called by   clients
-- Writes      orders, order_details; as app.submit_run
-- Errors      PT401 not_signed_in, PT404 item_not_found, owner_not_found,
--             PT409 idempotency_key_taken, order_changed, PT422 billing_invalid,
--             idempotency_key_invalid, order_kind_unknown, PT429 orders_open_reached,
--             rate_limited, PT503 payments_not_configured
-- Idempotent  same user, idempotency_key, kind and item: returns the first order as it is now
-- Locks       the user, for key share, then lanes
create or replace function app.create_order(
  kind text,
  item_id text,
  billing jsonb,
  idempotency_key text
)
  returns public.orders
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_user_id uuid := app.require_user();
  v_hash bytea := app.hash_request(
    'create_order', jsonb_build_array(create_order.kind, create_order.item_id)
  );
  v_order public.orders;
  v_billing jsonb;
  v_known app.order_details;
begin
  perform app.require_writing();
  perform app.require_credit_key(create_order.idempotency_key);
  v_billing := app.require_billing(create_order.billing);
  select d.* into v_known
  from app.order_details as d
  where d.user_id = v_user_id and d.idempotency_key = create_order.idempotency_key;
  if found then
    perform app.require_same_request(v_known.request_hash, v_hash);
    select o.* into v_order
    from public.orders as o
    where o.id = v_known.order_id;
    return v_order;
  end if;

  v_order := app.find_order_item(create_order.kind, create_order.item_id);
  if exists (
    select
    from app.settings as s
    where s.paymob_integration_ids = '{}' or s.paymob_owner_id is null
  ) then
    perform app.fail(
      503,
      'payments_not_configured',
      'This server does not take payments yet.',
      'Tell the operator to set paymob_integration_ids and paymob_owner_id in app.settings.',
      '{"Retry-After": "3600"}'
    );
  end if;
  perform app.take_rate(
    'orders',
    app.caller_key(),
    (select s.orders_per_hour from app.settings as s),
    interval '1 hour'
  );

  perform app.require_order_room(v_user_id);

  v_order.id := gen_random_uuid();
  v_order.run_id := app.submit_run(
    jsonb_build_object(
      'key', 'open', 'type', 'open_order', 'input', jsonb_build_object('order_id', v_order.id)
    ),
    v_user_id,
    null
  );
  insert into public.orders (
    id, user_id, kind, item_id, item_name, amount_minor, currency, credits, period, run_id,
    created_at
  )
  values (
    v_order.id, v_user_id, v_order.kind, v_order.item_id, v_order.item_name, v_order.amount_minor,
    v_order.currency, v_order.credits, v_order.period, v_order.run_id, app.now()
  )
  returning * into v_order;
  -- If another request with this key runs at the same time, this statement waits for it.
  insert into app.order_details (
    order_id, user_id, idempotency_key, request_hash, billing, next_inquiry_at
  )
  values (
    v_order.id, v_user_id, create_order.idempotency_key, v_hash, v_billing,
    app.now() + (select s.order_expiry from app.settings as s)
  )
  on conflict on constraint order_details_idempotency_key_is_unique do nothing;
  if not found then
    perform app.fail(
      409,
      'order_changed',
      'Another request with this idempotency key was running.',
      'Repeat the request.'
    );
  end if;

  return v_order;
end
$$;

comment on function app.create_order(text, text, jsonb, text) is
  'Creates an order; see public.create_order.';

create or replace function public.create_order(
  kind text,
  item_id text,
  billing jsonb,
  idempotency_key text
)
  returns public.orders
  language sql
  volatile
  set search_path = ''
return app.create_order(kind, item_id, billing, idempotency_key);

comment on function public.create_order(text, text, jsonb, text) is
$$Orders a plan or a credit pack, and returns the order.

kind: plan or credit_pack. item_id: the id of an enabled row of plans or credit_packs that has a
price; the order keeps that price. billing: { first_name, last_name, email, phone }, which Paymob
demands; it is deleted when the order is opened. idempotency_key: 1 to 200 characters; the same key
with the same kind and item_id returns the first order as it is now.
A job opens the order at Paymob. Watch the row until checkout_url is set, then send the customer
there. Only status tells whether the order is paid: the customer can change the query with which
the browser returns.
An order for the plan that the user has extends plan_ends_at by one period. An order for another
plan replaces the plan at once.
401 not_signed_in. 404 item_not_found. 409 idempotency_key_taken, order_changed. 422
billing_invalid, idempotency_key_invalid, order_kind_unknown. 429 orders_open_reached
(app.settings.orders_open_max), rate_limited (app.settings.orders_per_hour). 503
payments_not_configured. From origin 004.$$;

grant execute on function app.create_order(text, text, jsonb, text) to anon, authenticated;
grant execute on function public.create_order(text, text, jsonb, text) to anon, authenticated;
