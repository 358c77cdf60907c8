-- app.require_session
--
-- Called by   functions that no API key may call
-- Errors      PT401 not_signed_in, PT403 api_key_not_allowed
create or replace function app.require_session()
  returns uuid
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_user_id uuid := app.require_user();
begin
  if auth.jwt() -> 'api_key' is not null then
    perform app.fail(
      403,
      'api_key_not_allowed',
      'This needs the user themselves: an API key may not do it.',
      'Send the user''s JWT as a bearer token, and no x-api-key.'
    );
  end if;

  return v_user_id;
end
$$;

comment on function app.require_session() is
  'The id of the user who signed in themselves; 403 api_key_not_allowed for a request with an API key, 401 for others.';

revoke execute on function app.require_session() from public;
