-- app.find_api_key, gate.find_api_key
--
-- Writes      the rows of app.find_api_key_by_hash
-- Errors      PT429 too_many_at_once, and those of app.find_api_key_by_hash
-- Locks       a slot of the key, before requests of the key wait for each other
-- Why         This definer reads keys and cannot change the role; its caller, an invoker, changes
--             the role and cannot read keys. Becoming a key's owner needs both.
create or replace function app.find_api_key(key text)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_hash bytea := sha256(convert_to(find_api_key.key, 'UTF8'));
begin
  perform app.take_request_slot(
    'key ' || encode(v_hash, 'hex'), (select s.requests_at_once from app.settings as s)
  );

  return app.find_api_key_by_hash(v_hash);
end
$$;

comment on function app.find_api_key(text) is
  'Returns the claims of an API key''s owner: { sub, role, api_key: { id, scopes } }; 401 if the '
  'key does not work, 429 if too many of its requests are running.';

create or replace function gate.find_api_key(key text)
  returns jsonb
  language sql
  volatile
  set search_path = ''
return app.find_api_key(key);

comment on function gate.find_api_key(text) is
  'Returns the claims of an API key''s owner to gate.pre_request, or refuses the request.';

grant execute on function app.find_api_key(text) to anon;
grant execute on function gate.find_api_key(text) to anon;
