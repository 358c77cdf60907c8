-- A refund of a captured authorisation may name the authorisation, so the fulfilment keeps its id. The
-- deletion of a user finds the callbacks of orders that were not opened by their reference.
set local lock_timeout = '5s';

alter table app.order_fulfilments add column parent_id bigint;

-- The table is new, so its index is built in a moment.
-- squawk-ignore require-concurrent-index-creation
create index payment_callbacks_reference_idx
  on app.payment_callbacks (left(merchant_order_id, 36)) where merchant_order_id is not null;
