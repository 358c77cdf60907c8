-- app.grant_credits
--
-- Called by   products: fulfilled orders, bonuses
-- Writes      as app.apply_credits
-- Errors      PT404 owner_not_found, PT409 idempotency_key_taken, PT422 credits_invalid,
--             credits_too_many, idempotency_key_invalid
-- Idempotent  same user, source and idempotency_key, or same user, source and reference: returns
--             the first grant
-- Locks       the user: app.lock_credits
create or replace function app.grant_credits(
  user_id uuid,
  amount integer,
  source text,
  reference text,
  expires_at timestamptz,
  idempotency_key text
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
  v_known public.credit_grants;
  v_grant public.credit_grants;
begin
  perform app.require_credit_amount(grant_credits.amount);
  perform app.require_credit_key(grant_credits.idempotency_key);
  perform app.lock_credits(array[grant_credits.user_id]);

  select g.* into v_known
  from public.credit_grants as g
  where g.user_id = grant_credits.user_id
    and g.source = grant_credits.source
    and (
      g.idempotency_key = grant_credits.idempotency_key
      or g.reference = grant_credits.reference
    )
  order by g.created_at, g.id
  limit 1;
  if found then
    if (v_known.amount, v_known.reference, v_known.expires_at)
      is distinct from (grant_credits.amount, grant_credits.reference, grant_credits.expires_at)
    then
      perform app.refuse_credit_key();
    end if;
    return v_known.id;
  end if;
  perform app.require_credit_room(grant_credits.user_id, grant_credits.amount);

  v_grant.id := gen_random_uuid();
  v_grant.user_id := grant_credits.user_id;
  v_grant.source := grant_credits.source;
  v_grant.amount := grant_credits.amount;
  v_grant.remaining := 0;
  v_grant.reserved := 0;
  v_grant.taken_back := 0;
  v_grant.due := 0;
  v_grant.reference := grant_credits.reference;
  v_grant.idempotency_key := grant_credits.idempotency_key;
  v_grant.expires_at := grant_credits.expires_at;
  v_grant.created_at := app.now();
  perform app.insert_grants(array[v_grant], null);

  return v_grant.id;
end
$$;

comment on function app.grant_credits(uuid, integer, text, text, timestamptz, text) is
$$Gives credits to a user, and returns the id of the grant.

Repays the debt of the user first. source: plan, pack or bonus. reference: what the grant is for,
for example the id of an order; one grant per user, source and reference. expires_at: null for
credits that never expire. idempotency_key: 1 to 200 characters, unique per user and source.
404 owner_not_found. 409 idempotency_key_taken: the key or the reference belongs to another grant.
422 credits_invalid, credits_too_many, idempotency_key_invalid.$$;
