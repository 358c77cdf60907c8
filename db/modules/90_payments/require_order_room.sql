-- app.require_order_room
--
-- Errors      PT429 orders_open_reached with Retry-After
-- Locks       the caller holds the user's row of rate_limits, so orders of one user are counted one
--             after another
create or replace function app.require_order_room(user_id uuid)
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
  v_max integer;
  v_expiry interval;
  v_open bigint;
begin
  select s.orders_open_max, s.order_expiry into v_max, v_expiry
  from app.settings as s;
  v_open := (
    select count(*)
    from (
      select
      from public.orders as o
      where o.user_id = require_order_room.user_id
        and o.created_at > app.now() - v_expiry
        and o.status in ('created', 'opened')
      limit v_max
    ) as o
  );
  if v_open >= v_max then
    perform app.fail(
      429,
      'orders_open_reached',
      format('You have %s orders that are not paid.', v_open),
      'Pay one of them, or wait until they expire.',
      '{"Retry-After": "600"}'
    );
  end if;
end
$$;

comment on function app.require_order_room(uuid) is
  'Refuses a new order of a user who has app.settings.orders_open_max unpaid orders: 429 '
  'orders_open_reached.';
