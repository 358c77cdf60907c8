-- app.add_adjustment
--
-- Writes      as app.insert_grants
-- Locks       the caller holds the user: app.lock_credits
create or replace function app.add_adjustment(
  user_id uuid,
  amount integer,
  reason text,
  idempotency_key text
)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_grant public.credit_grants;
begin
  v_grant.id := gen_random_uuid();
  v_grant.user_id := add_adjustment.user_id;
  v_grant.source := 'adjustment';
  v_grant.amount := add_adjustment.amount;
  v_grant.remaining := 0;
  v_grant.reserved := 0;
  v_grant.taken_back := 0;
  v_grant.due := 0;
  v_grant.created_at := app.now();
  perform app.insert_grants(
    array[v_grant], add_adjustment.reason, add_adjustment.idempotency_key
  );
end
$$;

comment on function app.add_adjustment(uuid, integer, text, text) is
  'Gives a user credits that an operator adds.';
