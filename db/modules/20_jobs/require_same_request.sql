-- app.require_same_request
--
-- Errors      PT409 idempotency_key_taken
create or replace function app.require_same_request(first_hash bytea, request_hash bytea)
  returns void
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  if require_same_request.first_hash <> require_same_request.request_hash then
    perform app.fail(
      409,
      'idempotency_key_taken',
      'Another request was sent with this idempotency key before.',
      'Send a new key with a new request, or repeat the first request unchanged.'
    );
  end if;
end
$$;

comment on function app.require_same_request(bytea, bytea) is
$$Refuses a request whose idempotency key belongs to another request: 409 idempotency_key_taken.

first_hash: the hash that is stored with the key; null, from a release that stored none, fits every
request. request_hash: the hash of this request, from app.hash_request.$$;
