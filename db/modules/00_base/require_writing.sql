-- app.require_writing
--
-- Errors      PT403 key_is_read_only, PT405 post_required
-- Why         PostgREST runs GET and HEAD in a read-only transaction, and gate.become_key_owner
--             makes the transaction of a key without scope write read-only, too. Without this
--             check, the first statement that writes or locks raises 25006, which names no cause.
create or replace function app.require_writing()
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  if current_setting('transaction_read_only') = 'on' then
    if current_setting('request.method', true) in ('GET', 'HEAD') then
      perform app.fail(
        405,
        'post_required',
        'This function writes, so it cannot be called by GET or HEAD.',
        'Send a POST with the parameters as a JSON body.',
        '{"Allow": "POST, OPTIONS"}'
      );
    end if;
    if auth.jwt() -> 'api_key' is not null then
      perform app.fail(
        403, 'key_is_read_only', 'This API key may only read.', 'Use a key with scope write.'
      );
    end if;
  end if;
end
$$;

comment on function app.require_writing() is
  'Refuses a call by GET or HEAD (405 post_required) and a call with a read-only API key (403 '
  'key_is_read_only). Every function for clients that writes calls this function first.';
