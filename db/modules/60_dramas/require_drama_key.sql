-- app.require_drama_key
--
-- Errors      PT422 idempotency_key_invalid
-- Why         20 characters less than app.submit_run accepts: its key gets a prefix
create or replace function app.require_drama_key(idempotency_key text)
  returns void
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  if char_length(require_drama_key.idempotency_key) not between 1 and 180 then
    perform app.fail(
      422,
      'idempotency_key_invalid',
      'An idempotency key has 1 to 180 characters.',
      'Send a key of 1 to 180 characters, or leave it out.'
    );
  end if;
end
$$;

comment on function app.require_drama_key(text) is
  'Refuses an idempotency key that is empty or too long; null passes; 422 idempotency_key_invalid.';
