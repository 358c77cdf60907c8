-- app.caller_key
create or replace function app.caller_key()
  returns text
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return coalesce('user ' || auth.uid(), 'address ' || app.client_address());
end
$$;

comment on function app.caller_key() is
  'Names the caller for rate limits: the signed-in user, or else the client address.';
