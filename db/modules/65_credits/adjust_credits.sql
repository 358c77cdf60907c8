-- app.adjust_credits, public.adjust_credits
--
-- Called by   operators, as service_role or postgres
-- Writes      as app.apply_credits
-- Errors      PT404 owner_not_found, PT409 idempotency_key_taken, PT422 credits_invalid,
--             credits_too_many, reason_invalid, idempotency_key_invalid
-- Idempotent  same user, idempotency_key and amount: returns the balance, and changes nothing
-- Locks       the user: app.lock_credits
create or replace function app.adjust_credits(
  user_id uuid,
  amount numeric,
  reason text,
  idempotency_key text
)
  returns public.users
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
  v_key constant text := 'adjust_credits:' || adjust_credits.idempotency_key;
  v_known bigint;
  v_user public.users;
begin
  perform app.require_credit_amount(abs(adjust_credits.amount));
  perform app.require_credit_key(adjust_credits.idempotency_key);
  if coalesce(char_length(adjust_credits.reason), 0) not between 1 and 500 then
    perform app.fail(
      422,
      'reason_invalid',
      'reason must have 1 to 500 characters.',
      'Say why the credits change. The user reads the reason.'
    );
  end if;
  perform app.lock_credits(array[adjust_credits.user_id]);

  v_known := (
    select sum(e.amount)
    from public.credit_entries as e
    where e.user_id = adjust_credits.user_id and e.idempotency_key = v_key
  );
  if v_known is null then
    perform app.require_credit_room(adjust_credits.user_id, adjust_credits.amount::integer);
    if adjust_credits.amount > 0 then
      perform app.add_adjustment(
        adjust_credits.user_id, adjust_credits.amount::integer, adjust_credits.reason, v_key
      );
    else
      perform app.subtract_adjustment(
        adjust_credits.user_id, -adjust_credits.amount::integer, adjust_credits.reason, v_key
      );
    end if;
  elsif v_known <> adjust_credits.amount then
    perform app.refuse_credit_key();
  end if;
  select u.* into v_user
  from public.users as u
  where u.id = adjust_credits.user_id;

  return v_user;
end
$$;

comment on function app.adjust_credits(uuid, numeric, text, text) is
  'Adds or subtracts credits; see public.adjust_credits.';

create or replace function public.adjust_credits(
  user_id uuid,
  amount numeric,
  reason text,
  idempotency_key text
)
  returns public.users
  language sql
  volatile
  set search_path = ''
return app.adjust_credits(user_id, amount, reason, idempotency_key);

comment on function public.adjust_credits(uuid, numeric, text, text) is
$$Adds credits to a user or subtracts credits, and returns the user's row with the new balance.

amount: a whole number from 1 to 1,000,000,000, or from -1,000,000,000 to -1. Added credits repay
the debt of the user first and never expire. Subtracted credits come from credits that no hold
reserves, from the grant that expires first; the rest becomes a debt. reason: 1 to 500 characters;
the user reads it. idempotency_key: 1 to 200 characters; the same key with the same amount changes
nothing.
404 owner_not_found. 409 idempotency_key_taken. 422 credits_invalid, credits_too_many,
reason_invalid, idempotency_key_invalid. Only for service_role.$$;

grant execute on function app.adjust_credits(uuid, numeric, text, text) to service_role;
grant execute on function public.adjust_credits(uuid, numeric, text, text) to service_role;
