-- app.store_generation_key
--
-- Writes      generation_requests, rate_limits
-- Errors      PT429 rate_limited
-- Locks       the generation, for key share; then the user's row of rate_limits. The caller holds
--             the user, so no other request stores the same key
create or replace function app.store_generation_key(
  user_id uuid,
  idempotency_key text,
  request_hash bytea,
  generation_id uuid,
  is_cached boolean
)
  returns boolean
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  perform
  from public.generations as g
  where g.id = store_generation_key.generation_id
  for key share;
  if not found then
    return false;
  end if;

  insert into app.generation_requests (
    user_id, idempotency_key, request_hash, generation_id, is_cached, created_at
  )
  values (
    store_generation_key.user_id, store_generation_key.idempotency_key,
    store_generation_key.request_hash, store_generation_key.generation_id,
    store_generation_key.is_cached, app.now()
  );
  perform app.take_rate(
    'generation_keys',
    'user ' || store_generation_key.user_id,
    (select s.generation_keys_per_day from app.settings as s),
    interval '1 day'
  );

  return true;
end
$$;

comment on function app.store_generation_key(uuid, text, bytea, uuid, boolean) is
$$Stores the key of a request that got an earlier generation.

Returns false if the generation has just been deleted. 429 rate_limited.$$;
