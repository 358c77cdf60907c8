-- app.find_api_key, gate.find_api_key
--
-- Writes      the rows of app.find_api_key_by_hash
-- Errors      those of app.find_api_key_by_hash
-- Why         This definer reads keys and cannot change the role; its caller, an invoker, changes
--             the role and cannot read keys. Becoming a key's owner needs both.
create or replace function app.find_api_key(key text)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  return app.find_api_key_by_hash(sha256(convert_to(find_api_key.key, 'UTF8')));
end
$$;

comment on function app.find_api_key(text) is
  'Returns the claims of an API key''s owner, as app.find_api_key_by_hash; or refuses the request.';

create or replace function gate.find_api_key(key text)
  returns jsonb
  language sql
  volatile
return app.find_api_key(key);

comment on function gate.find_api_key(text) is
  'Returns the claims of an API key''s owner to gate.pre_request, or refuses the request.';

grant execute on function app.find_api_key(text) to anon;
grant execute on function gate.find_api_key(text) to anon;
