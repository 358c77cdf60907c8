-- app.lock_paymob_order
--
-- Locks       an advisory lock of Paymob's id, until the transaction ends
-- Why         a callback may come while its order is being opened. Without the lock,
--             the callback would not see the order, and the order would not see the callback
create or replace function app.lock_paymob_order(paymob_order_id bigint)
  returns void
  language sql
  volatile
  set search_path = ''
begin atomic
  select pg_advisory_xact_lock(
    hashtextextended('paymob order ' || lock_paymob_order.paymob_order_id, 0)
  );
end;

comment on function app.lock_paymob_order(bigint) is
  'Makes the opening of an order and the callbacks for it wait for each other.';
