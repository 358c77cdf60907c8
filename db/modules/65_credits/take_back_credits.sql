-- app.take_back_credits
--
-- Called by   products: refunds
-- Writes      as app.apply_credits
-- Errors      PT404 grant_not_found, PT422 credits_invalid
-- Idempotent  total counts from the beginning: a repeated call, and a call with a smaller total,
--             change nothing
-- Locks       the user: app.lock_credits
create or replace function app.take_back_credits(grant_id uuid, total integer, reason text)
  returns integer
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_user_id uuid;
  v_grant public.credit_grants;
  v_wanted integer;
  v_taken integer;
begin
  v_user_id := (
    select g.user_id from public.credit_grants as g where g.id = take_back_credits.grant_id
  );
  perform app.lock_credits(array[v_user_id]);
  select g.* into v_grant
  from public.credit_grants as g
  where g.id = take_back_credits.grant_id;
  if not found then
    perform app.fail(
      404, 'grant_not_found', 'Grant not found.', 'Send the id of a grant of an existing user.'
    );
  end if;
  if coalesce(take_back_credits.total not between 0 and v_grant.amount, true) then
    perform app.fail(
      422,
      'credits_invalid',
      format('From this grant, 0 to %s credits can be taken back.', v_grant.amount),
      'Send the sum of all refunds of the grant.'
    );
  end if;

  v_wanted := take_back_credits.total - v_grant.taken_back;
  if v_wanted <= 0 then
    return 0;
  end if;
  v_taken := least(v_wanted, v_grant.remaining - v_grant.reserved);
  perform app.apply_credits(
    array[
      (
        'taken_back', v_user_id, v_grant.id, null, null, -v_taken, null, null, null, v_wanted,
        take_back_credits.reason, null
      )::app.credit_movement,
      (
        'debt', v_user_id, v_grant.id, null, null, null, null, v_wanted - v_taken,
        -- As much of the debt as open holds may still give back to the grant.
        least(v_wanted - v_taken, v_grant.reserved - v_grant.due), null,
        take_back_credits.reason, null
      )::app.credit_movement
    ]
  );

  return v_wanted;
end
$$;

comment on function app.take_back_credits(uuid, integer, text) is
$$Takes credits of a refunded grant back, and returns how many this call took.

total: how many credits of the grant are taken back in total, including this call. So several
partial refunds add up, and each call can be repeated. Takes credits of the grant that remain and
are not reserved; the rest becomes a debt. If a hold later gives credits back to the grant, these
credits pay the debt.
404 grant_not_found. 422 credits_invalid.$$;
