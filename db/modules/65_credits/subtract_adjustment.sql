-- app.subtract_adjustment
--
-- Writes      as app.apply_credits
-- Locks       the caller holds the user: app.lock_credits
create or replace function app.subtract_adjustment(
  user_id uuid,
  amount integer,
  reason text,
  idempotency_key text
)
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
  v_movements app.credit_movement[];
  v_taken integer;
begin
  select
    coalesce(
      array_agg(
        (
          'adjustment', f.user_id, f.id, null, null,
          -least(f.free, subtract_adjustment.amount - f.before), null, null, null, null,
          subtract_adjustment.reason, subtract_adjustment.idempotency_key
        )::app.credit_movement
        order by f.before
      ),
      '{}'
    ),
    coalesce(sum(least(f.free, subtract_adjustment.amount - f.before)), 0)::integer
  into v_movements, v_taken
  from (
    select
      g.user_id,
      g.id,
      g.remaining - g.reserved as free,
      sum(g.remaining - g.reserved) over (
        order by g.expires_at, g.created_at, g.id rows unbounded preceding
      ) - (g.remaining - g.reserved) as before
    from public.credit_grants as g
    where g.user_id = subtract_adjustment.user_id
      and g.ended_at is null
      and g.remaining > g.reserved
  ) as f
  where f.before < subtract_adjustment.amount;

  perform app.apply_credits(
    v_movements || (
      'debt', subtract_adjustment.user_id, null, null, null, null, null,
      subtract_adjustment.amount - v_taken, null, null, subtract_adjustment.reason,
      subtract_adjustment.idempotency_key
    )::app.credit_movement
  );
end
$$;

comment on function app.subtract_adjustment(uuid, integer, text, text) is
  'Takes credits that an operator subtracts: first credits that no hold reserves, then as a debt.';
