-- app.require_task_user
--
-- Errors      PT401 not_signed_in, PT404 owner_not_found, PT422 owner_missing
create or replace function app.require_task_user(user_id uuid)
  returns uuid
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_user_id uuid := require_task_user.user_id;
begin
  if auth.role() is distinct from 'service_role' then
    v_user_id := app.require_user();
    if require_task_user.user_id <> v_user_id then
      perform app.fail(
        404,
        'owner_not_found',
        'user_id is not your own id.',
        'Leave out user_id, or send your own id.'
      );
    end if;
  elsif v_user_id is null then
    perform app.fail(
      422,
      'owner_missing',
      'service_role must say for which user it acts.',
      'Send the id of the user as user_id.'
    );
  end if;

  return v_user_id;
end
$$;

comment on function app.require_task_user(uuid) is
$$Returns the user of a new task: the signed-in user, or the user whom service_role names.

401 not_signed_in, 404 owner_not_found, 422 owner_missing.$$;
