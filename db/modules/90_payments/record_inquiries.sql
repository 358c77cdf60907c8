-- app.record_inquiries
--
-- Called by   the job engine, as on_completed of inquire_orders
-- Writes      as app.record_payment and app.settle_orders
-- Errors      raises for an output of another form, so that the step fails
-- Locks       the users, then the orders, lowest id first. The engine holds the runs
create or replace function app.record_inquiries(step_ids bigint[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_order_ids uuid[];
  v_found record;
begin
  v_order_ids := array(
    select distinct (a.answer ->> 'order_id')::uuid
    from unnest(record_inquiries.step_ids) as i (id)
    join public.jobs as j on j.id = any (array[i.id])
    cross join lateral jsonb_array_elements(j.output -> 'orders') as a (answer)
  );
  perform app.lock_orders(v_order_ids);
  for v_found in
    select t.transaction
    from unnest(record_inquiries.step_ids) as i (id)
    join public.jobs as j on j.id = any (array[i.id])
    cross join lateral jsonb_array_elements(j.output -> 'orders') as a (answer)
    cross join lateral jsonb_array_elements(a.answer -> 'transactions')
      with ordinality as t (transaction, n)
    order by i.id, a.answer ->> 'order_id', t.n
  loop
    perform app.record_payment(
      'inquiry',
      'TRANSACTION',
      'inquiry',
      v_found.transaction::text,
      v_found.transaction,
      jsonb_build_object(
        'merchant_order_id', v_found.transaction -> 'order.merchant_order_id',
        'is_refund', v_found.transaction -> 'is_refund',
        'is_void', v_found.transaction -> 'is_void',
        'refunded_amount_cents', v_found.transaction -> 'refunded_amount_cents',
        'parent_transaction', v_found.transaction -> 'parent_transaction'
      )
    );
  end loop;
  perform app.settle_orders(v_order_ids);
end
$$;

comment on function app.record_inquiries(bigint[]) is
$$Callback on_completed: judges the transactions that Paymob lists for orders.

Output of a step: { orders: [{ order_id, transactions: [{ id, "order.id", amount_cents, … }] }] },
all values as texts.$$;
