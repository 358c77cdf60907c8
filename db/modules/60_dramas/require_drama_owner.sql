-- app.require_drama_owner
--
-- Errors      PT401 not_signed_in, PT404 owner_not_found, PT422 owner_missing
create or replace function app.require_drama_owner(owner_id uuid)
  returns uuid
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_user_id uuid;
begin
  if auth.role() = 'service_role' then
    if require_drama_owner.owner_id is null then
      perform app.fail(
        422,
        'owner_missing',
        'service_role must say for which user it acts.',
        'Send the id of the user as owner_id.'
      );
    end if;
    v_user_id := (select u.id from public.users as u where u.id = require_drama_owner.owner_id);
  else
    v_user_id := app.require_user();
    if require_drama_owner.owner_id <> v_user_id then
      v_user_id := null;
    end if;
  end if;

  if v_user_id is null then
    perform app.fail(
      404,
      'owner_not_found',
      'User not found, or owner_id is not your own id.',
      'Leave out owner_id, or send the id of an existing user as service_role.'
    );
  end if;

  return v_user_id;
end
$$;

comment on function app.require_drama_owner(uuid) is
$$Returns the owner that a request is about: the signed-in user, or the user whom service_role
names.

401 not_signed_in, 404 owner_not_found, 422 owner_missing.$$;
