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
  perform app.lock_orders(
    array(
      select o.id
      from unnest(end_openings.run_ids) as i (id)
      join public.orders as o on o.run_id = any (array[i.id]) and o.status = 'created'
    )
  );
  update public.orders as o
  set
    status = 'failed',
    error = coalesce(e.error, 'The order was cancelled before it was opened. Create a new order.')
  from (
    select
      i.id as run_id,
      case when j.status = 'failed' then j.error_message end as error
    from unnest(end_openings.run_ids) as i (id)
    left join public.jobs as j on j.id = any (array[i.id])
    where j.status is distinct from 'completed'
  ) as e
  where o.run_id = any (array[e.run_id]) and o.status = 'created';
end
$$;

comment on function app.end_openings(bigint[]) is
$$Callback on_run_ended: an order that could not be opened is failed, with the reason.

The status is not final: retry_job opens the order again.$$;
