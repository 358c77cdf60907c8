-- app.require_credit_key
--
-- Errors      PT422 idempotency_key_invalid
create or replace function app.require_credit_key(idempotency_key text)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  if coalesce(char_length(require_credit_key.idempotency_key), 0) not between 1 and 200 then
    perform app.fail(
      422,
      'idempotency_key_invalid',
      'idempotency_key must have 1 to 200 characters.',
      'Send a key of 1 to 200 characters. Repeat a request with the same key.'
    );
  end if;
end
$$;

comment on function app.require_credit_key(text) is
  'Refuses a change of credits without an idempotency key of 1 to 200 characters: 422 '
  'idempotency_key_invalid.';
