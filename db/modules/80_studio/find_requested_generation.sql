-- app.find_requested_generation
--
-- Errors      PT409 idempotency_key_taken
create or replace function app.find_requested_generation(
  user_id uuid,
  idempotency_key text,
  request_hash bytea
)
  returns app.generation_answer
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_known record;
begin
  select
    (g.id, g.status, r.is_cached, g.url, g.result)::app.generation_answer as answer,
    r.request_hash
  into v_known
  from app.generation_requests as r
  join public.generations as g on g.id = any (array[r.generation_id])
  where r.user_id = any (array[find_requested_generation.user_id])
    and r.idempotency_key = any (array[find_requested_generation.idempotency_key]);
  if v_known.request_hash <> find_requested_generation.request_hash then
    perform app.fail(
      409,
      'idempotency_key_taken',
      'This idempotency_key belongs to another request.',
      'Send a new key, or repeat the first request unchanged.'
    );
  end if;

  return v_known.answer;
end
$$;

comment on function app.find_requested_generation(uuid, text, bytea) is
  'Returns the generation that an earlier request with this key got, as it is now. Null: none. 409 '
  'idempotency_key_taken: the key belongs to another request.';
