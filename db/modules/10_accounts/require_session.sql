-- app.require_session
--
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
      'This request needs the user''s own session, not an API key.',
      'Send the user''s JWT as a bearer token, without x-api-key.'
    );
  end if;

  return v_user_id;
end
$$;

comment on function app.require_session() is
  'Returns the id of the user who signed in; 403 api_key_not_allowed for a request with an API '
  'key, 401 for any other caller.';
