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
  -- A JWT outlives its account.
  if not exists (select from public.users as u where u.id = v_user_id) then
    perform app.fail(401, 'not_signed_in', 'This account is gone.', 'Sign in again.');
  end if;

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
