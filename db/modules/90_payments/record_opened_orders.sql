-- app.record_opened_orders
--
-- Called by   the job engine, as on_completed of open_order
-- Writes      orders, order_details, paymob_orders; as app.judge_payment for payments that came
--             before the order was opened; as app.refuse_opening
-- Errors      raises for an output of another form, so that the step fails
-- Locks       the users, then the orders, lowest id first. The engine holds the runs
create or replace function app.record_opened_orders(step_ids bigint[])
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
  v_now constant timestamptz := app.now();
  v_opened record;
begin
  perform app.lock_orders(
    array(
      select o.id
      from public.orders as o
      where o.run_id = any (record_opened_orders.step_ids) and o.run_id is not null
    )
  );
  for v_opened in
    select
      o.id,
      (j.output ->> 'paymob_order_id')::bigint as paymob_order_id,
      j.output ->> 'checkout_url' as checkout_url
    from unnest(record_opened_orders.step_ids) as i (id)
    join public.orders as o on o.run_id = any (array[i.id])
    join public.jobs as j on j.id = any (array[i.id])
    order by o.id
  loop
    perform app.lock_paymob_order(v_opened.paymob_order_id);
    insert into app.paymob_orders as m (paymob_order_id, order_id, created_at)
    values (v_opened.paymob_order_id, v_opened.id, v_now)
    on conflict on constraint paymob_orders_pkey do update set created_at = m.created_at
      where m.order_id = v_opened.id;
    if not found then
      perform app.refuse_opening(v_opened.id, v_opened.paymob_order_id);
      continue;
    end if;

    update public.orders as o
    set
      status = case when o.status in ('created', 'failed') then 'opened' else o.status end,
      checkout_url = v_opened.checkout_url,
      opened_at = coalesce(o.opened_at, v_now),
      error = null
    where o.id = v_opened.id;
    update app.order_details as d
    set billing = null, next_inquiry_at = v_now + interval '10 minutes'
    where d.order_id = v_opened.id;
    perform app.judge_payments_of(v_opened.paymob_order_id);
  end loop;
end
$$;

comment on function app.record_opened_orders(bigint[]) is
$$Callback on_completed: stores Paymob's id and the checkout page of opened orders, deletes the
billing data, and judges the payments that came before.

Output of a step: { paymob_order_id, checkout_url }.$$;
