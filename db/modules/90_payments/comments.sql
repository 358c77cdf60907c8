-- Comments on the tables and columns of this module.

comment on column app.settings.paymob_integration_ids is
  'The integrations of the Paymob account that take payments, as ids. Empty: create_order answers '
  '503, and every callback is suspicious.';
comment on column app.settings.paymob_owner_id is
  'The owner in the callbacks of the Paymob account. Null: create_order answers 503, and every '
  'callback is suspicious.';
comment on column app.settings.order_expiry is
  'How long a customer can pay an order: 10 minutes to 30 days. The order then expires, but a '
  'later payment still counts. Limit per order: the order expires.';
comment on column app.settings.orders_per_hour is
  'How many orders a user may create per hour. Limit per user: 429 rate_limited.';

comment on column app.settings.orders_open_max is
  'How many unpaid orders of a user may be open at a time. Limit per user: 429 '
  'orders_open_reached.';

comment on table public.orders is
$$Orders of plans and credit packs.

Call create_order, then watch the row until checkout_url is set, and send the customer there. An
order keeps its price when the catalogue changes. id is merchant_order_id at Paymob. From origin
004.$$;
comment on column public.orders.kind is 'plan or credit_pack.';
comment on column public.orders.item_id is 'The id of the plan or of the credit pack.';
comment on column public.orders.amount_minor is 'The price in minor units, such as piastres.';
comment on column public.orders.credits is 'How many credits the payment gives.';
comment on column public.orders.period is 'How long the plan lasts. Null for credit packs.';
comment on column public.orders.status is
  'created, opened (the customer can pay), paid, part_refunded, refunded or voided; failed and '
  'expired are not final: a payment that comes later still counts.';
comment on column public.orders.checkout_url is
  'The page where the customer pays. Null until the order is opened.';
comment on column public.orders.refunded_minor is 'The sum of the refunds, in minor units.';
comment on column public.orders.error is
  'Why the order failed, in a sentence for people. Null after a payment.';
comment on column public.orders.run_id is 'The run that opens the order, for job_tree.';

comment on table app.order_details is 'The private part of an order.';
comment on column app.order_details.billing is
  '{ first_name, last_name, email, phone } for Paymob, until the order is opened.';
comment on column app.order_details.openings is
  'How often a worker began to open the order.';
comment on column app.order_details.next_inquiry_at is
  'When the schedule inquire-orders asks Paymob about the order again. Null: not again.';
comment on column app.order_details.inquiries is 'How often Paymob was asked.';
comment on table app.paymob_orders is
  'Paymob''s ids of orders. A callback finds its order only by this signed id.';
comment on table app.order_fulfilments is
  'Fulfilled orders, with the grant and the period of each. One row per order and per transaction.';
comment on column app.order_fulfilments.period_from is
  'The beginning of the plan period that the order bought. Null for credit packs.';
comment on column app.order_fulfilments.parent_id is
  'The authorisation that was captured. Null for other payments.';
comment on table app.order_refunds is
  'Refunds and voids that have a transaction of their own at Paymob.';

comment on table public.payments is
$$Reports of Paymob about payments, refunds and voids, with the decision of Plinth about each.

This table is for history and support. orders has the outcome. From origin 004.$$;
comment on column public.payments.source is
  'callback, inquiry, or opening: Paymob gave an id that another order has.';
comment on column public.payments.status is
  'applied, duplicate (it was applied before), pending, declined, parked (it waits for the order '
  'or for its payment), noted (it changes nothing) or suspicious.';
comment on column public.payments.reason is 'Why the payment is not applied, as a slug.';
comment on column public.payments.amount_minor is 'The signed amount, in minor units.';
comment on table app.payment_callbacks is
  'Reports of Paymob as they were received. A repeated report only raises times.';
comment on column app.payment_callbacks.hmac is 'The signature, or "inquiry".';
comment on column app.payment_callbacks.digest is 'The SHA-256 of the body.';
comment on column app.payment_callbacks.signed is
  'The signed fields, as the texts that were signed.';
comment on column app.payment_callbacks.hints is
  'Unsigned fields. A field that contradicts the order makes the report suspicious.';
comment on table app.plan_notices is 'The end of the plan that each user was told about.';
