-- sidecar.record_paymob_callbacks
--
-- Called by   the sidecar, for every callback
-- Writes      as app.record_first_payments and app.record_payment
-- Idempotent  as sidecar.record_paymob_callback
-- Locks       as app.try_lock_orders: waits for no other transaction, because one locked order
--             would delay the callbacks of all other orders
-- Why         one commit and one set of statements for several callbacks. If the call fails, it has
--             stored nothing: the sidecar then records each callback alone, so a callback that
--             fails harms no other callback
create or replace function sidecar.record_paymob_callbacks(callbacks jsonb)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_order_ids uuid[];
  v_answers jsonb;
  v_count bigint;
  v_rest record;
begin
  v_order_ids := app.try_lock_orders(
    array(
      select (c.callback #>> '{signed,order.id}')::bigint
      from jsonb_array_elements(record_paymob_callbacks.callbacks) as c (callback)
      where c.callback #>> '{signed,order.id}' ~ '^[1-9][0-9]{0,17}$'
    )
  );
  select
    count(*),
    coalesce(
      jsonb_object_agg(
        p.n, jsonb_build_object('payment_id', p.payment_id, 'status', 'applied', 'reason', null)
      ),
      '{}'
    )
  into v_count, v_answers
  from app.record_first_payments(record_paymob_callbacks.callbacks, v_order_ids) as p;

  if v_count < jsonb_array_length(record_paymob_callbacks.callbacks) then
    for v_rest in
      select c.n, c.callback
      from jsonb_array_elements(record_paymob_callbacks.callbacks)
        with ordinality as c (callback, n)
      join app.paymob_orders as m
        on m.paymob_order_id = any (
          array[
            case
              when c.callback #>> '{signed,order.id}' ~ '^[1-9][0-9]{0,17}$'
                then (c.callback #>> '{signed,order.id}')::bigint
            end
          ]
        )
      where m.order_id = any (v_order_ids) and not v_answers ? c.n::text
      order by c.n
    loop
      v_answers := v_answers || jsonb_build_object(
        v_rest.n, sidecar.record_paymob_callback(v_rest.callback)
      );
    end loop;
  end if;

  return (
    select jsonb_agg(v_answers -> c.n::text order by c.n)
    from jsonb_array_elements(record_paymob_callbacks.callbacks)
      with ordinality as c (callback, n)
  );
end
$$;

comment on function sidecar.record_paymob_callbacks(jsonb) is
$$Stores and judges several callbacks whose signatures the sidecar has verified, in one transaction.

callbacks: a list, each element as in sidecar.record_paymob_callback. Returns a list of the same
length: { payment_id, status, reason }, or null for a callback that was not recorded, because its
order is unknown or locked by another transaction: call sidecar.record_paymob_callback for it. Only
for the sidecar.$$;

grant execute on function sidecar.record_paymob_callbacks(jsonb) to sidecar;
