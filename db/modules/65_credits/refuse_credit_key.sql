-- app.refuse_credit_key
--
-- Errors      PT409 idempotency_key_taken, always
create or replace function app.refuse_credit_key()
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  perform app.fail(
    409,
    'idempotency_key_taken',
    'Another change of credits has this idempotency key or reference.',
    'Send another key. To repeat a request, send the same values.'
  );
end
$$;

comment on function app.refuse_credit_key() is
  'Refuses a change of credits whose key belongs to another change: 409 idempotency_key_taken.';
