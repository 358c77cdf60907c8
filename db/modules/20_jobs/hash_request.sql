-- app.hash_request
--
-- Why         the text of a jsonb does not depend on the order of keys or on white space. The hash
--             includes the function, because service_role can send any key to submit_run
create or replace function app.hash_request(function text, request jsonb)
  returns bytea
  language sql
  immutable
  set search_path = ''
return sha256(convert_to(jsonb_build_array(function, request)::text, 'UTF8'));

comment on function app.hash_request(text, jsonb) is
$$Returns the SHA-256 of a request, which is stored with its idempotency key.

function: the name of the function that was called. request: its parameters except the key, with
defaults filled in, so that two requests that mean the same have the same hash.$$;
