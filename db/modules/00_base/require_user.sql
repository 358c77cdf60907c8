-- app.require_user
--
-- Errors      PT401 not_signed_in
-- Why         A token is valid for longer than its account may exist. Supabase Auth deletes the row
--             of an account, or marks it as deleted.
create or replace function app.require_user()
  returns uuid
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_user_id uuid := auth.uid();
begin
  if v_user_id is null then
    perform app.fail(
      401,
      'not_signed_in',
      'This request needs a signed-in user.',
      'Send the user''s JWT as a bearer token.'
    );
  end if;
  if not exists (
    select from auth.users as u where u.id = v_user_id and u.deleted_at is null
  ) then
    perform app.fail(
      401, 'not_signed_in', 'This account was deleted.', 'Sign in with another account.'
    );
  end if;

  return v_user_id;
end
$$;

comment on function app.require_user() is
  'Returns the id of the signed-in user; 401 not_signed_in for any other caller, and for a user '
  'who was deleted.';
