-- app.place_hold
--
-- Called by   products, in the transaction that submits the run
-- Writes      as app.apply_credits
-- Errors      PT402 credits_insufficient, PT404 owner_not_found, PT409 hold_exists,
--             PT422 credits_invalid
-- Idempotent  the same hold of the same run: returns the first hold while it is open
-- Locks       the user: app.lock_credits
create or replace function app.place_hold(
  user_id uuid,
  run_id bigint,
  amount integer,
  reason text
)
  returns uuid
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
  v_open public.credit_holds;
  v_hold public.credit_holds;
  v_movements app.credit_movement[];
  v_spendable bigint;
begin
  if coalesce(place_hold.amount not between 1 and 1000000000, true) then
    perform app.require_credit_amount(place_hold.amount);
  end if;
  perform app.lock_credits(array[place_hold.user_id]);

  -- Under the lock, so that this statement sees all earlier holds and grants of the user.
  select h.* into v_open
  from public.credit_holds as h
  where h.run_id = place_hold.run_id and h.status = 'open';
  if found then
    if (v_open.user_id, v_open.amount) is distinct from (place_hold.user_id, place_hold.amount) then
      perform app.fail(
        409,
        'hold_exists',
        format('Run %s has another open hold.', place_hold.run_id),
        'Place one hold per run, with its whole amount.'
      );
    end if;
    return v_open.id;
  end if;

  v_hold.id := gen_random_uuid();
  v_hold.user_id := place_hold.user_id;
  v_hold.run_id := place_hold.run_id;
  v_hold.amount := place_hold.amount;
  v_hold.reason := place_hold.reason;
  v_hold.status := 'open';
  v_hold.created_at := v_now;
  v_hold.expires_at := v_now + (select s.credit_hold_max from app.settings as s);
  select
    array_agg(
      (
        'hold', f.user_id, f.id, v_hold.id, f.run_id, null,
        least(f.free, place_hold.amount - f.before), null, null, null, null, null
      )::app.credit_movement
      order by f.before
    ) filter (where f.before < place_hold.amount),
    coalesce(sum(f.free), 0)
  into v_movements, v_spendable
  from (
    select
      g.user_id,
      g.id,
      place_hold.run_id,
      g.remaining - g.reserved as free,
      sum(g.remaining - g.reserved) over (
        order by g.expires_at, g.created_at, g.id rows unbounded preceding
      ) - (g.remaining - g.reserved) as before
    from public.credit_grants as g
    where g.user_id = place_hold.user_id
      and g.ended_at is null
      and g.remaining > g.reserved
      -- The schedule takes the credits of an expired grant a moment later.
      and (g.expires_at > v_now or g.expires_at is null)
  ) as f;
  if v_spendable < place_hold.amount then
    perform app.refuse_hold(place_hold.user_id, place_hold.amount, v_spendable);
  end if;

  perform app.apply_credits(v_movements, '{}', array[v_hold]);

  return v_hold.id;
end
$$;

comment on function app.place_hold(uuid, bigint, integer, text) is
$$Reserves credits of a user for a run, and returns the id of the hold.

Reserves from the grant that expires first. amount: 1 to 1,000,000,000. reason: 1 to 500 characters;
the user reads it in credit_usage. A run has at most one open hold. The type of the run registers
app.capture_holds as on_completed and app.release_holds as on_run_ended, or functions that call
them. Before app.submit_run, call app.ensure_lanes and app.lock_credits.
402 credits_insufficient: the message has the cost and the available credits. 404 owner_not_found.
409 hold_exists. 422 credits_invalid.$$;
