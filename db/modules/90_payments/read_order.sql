-- worker.read_order
--
-- Called by   the worker, in the handler of open_order
-- Writes      order_details.openings
-- Errors      PT409 step_lost
-- Locks       the details of the order
-- Why         the billing data must not be in the input of a job, because inputs are kept for
--             longer. Each attempt has a reference of its own, because the answer of an earlier
--             attempt may be lost, and Paymob refuses a reference that exists
create or replace function worker.read_order(step_id bigint, fence bigint)
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
  v_order public.orders;
  v_details app.order_details;
begin
  select o.* into v_order
  from app.job_queue as q
  -- Index lookup even on an empty table: ADR 16.
  join public.orders as o on o.run_id = any (array[q.job_id])
  where q.job_id = read_order.step_id
    and q.fence = read_order.fence
    and q.worker_id is not null;
  if not found then
    perform app.fail(
      409,
      'step_lost',
      'The worker no longer holds this step.',
      'Abort the handler of the step, because its result would be refused.'
    );
  end if;

  update app.order_details as d
  set openings = d.openings + 1
  where d.order_id = v_order.id
  returning d.* into v_details;

  return jsonb_build_object(
    'order_id', v_order.id,
    'reference', case
      when v_details.openings = 1 then v_order.id::text
      else format('%s.%s', v_order.id, v_details.openings)
    end,
    'amount_minor', v_order.amount_minor,
    'currency', v_order.currency,
    'item', jsonb_build_object(
      'name', left(v_order.item_name, 50),
      'description', case v_order.kind
        when 'plan' then format('Plan %s', v_order.item_name)
        else format('%s credits', v_order.credits)
      end
    ),
    'billing', v_details.billing,
    'integration_ids', (select s.paymob_integration_ids from app.settings as s)
  );
end
$$;

comment on function worker.read_order(bigint, bigint) is
$$Begins an attempt to open the order of a claimed step, and returns the order.

{ order_id, reference (for Paymob: the id, then <id>.2 and so on), amount_minor, currency, item: {
name, description }, billing: { first_name, last_name, email, phone } or null, integration_ids }.
409 step_lost: the worker does not hold the step. Only for workers.$$;

grant execute on function worker.read_order(bigint, bigint) to worker;
