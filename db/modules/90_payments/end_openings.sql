-- app.end_openings
--
-- Called by   the job engine, as on_run_ended of open_order
-- Writes      orders
-- Locks       the orders, lowest id first. The engine holds the runs
create or replace function app.end_openings(run_ids bigint[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
begin
  -- Arrays, so that the plans look each run up in the index.
  perform app.lock_orders(
    array(
      select o.id
      from public.orders as o
      where o.run_id = any (end_openings.run_ids) and o.run_id is not null and o.status = 'created'
    )
  );
  update public.orders as o
  set
    status = 'failed',
    error = coalesce(
      (
        select j.error_message
        from public.jobs as j
        where j.id = o.run_id and j.status = 'failed'
      ),
      'The order was cancelled before it was opened. Create a new order.'
    )
  where o.run_id = any (end_openings.run_ids)
    and o.run_id is not null
    and o.status = 'created'
    and not exists (
      select from public.jobs as j where j.id = any (array[o.run_id]) and j.status = 'completed'
    );
end
$$;

comment on function app.end_openings(bigint[]) is
$$Callback on_run_ended: an order that could not be opened is failed, with the reason.

The status is not final: retry_job opens the order again.$$;
