-- app.refuse_owner
--
-- Errors      PT404 owner_not_found, PT503 profile_missing with Retry-After
create or replace function app.refuse_owner(user_id uuid, hint text)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  if exists (
    select from app.missing_profiles as m where m.user_id = refuse_owner.user_id
  ) then
    perform app.fail(
      503,
      'profile_missing',
      'The profile of this user could not be created yet.',
      'Try again in a minute. If the error stays, the operator reads app.missing_profiles.',
      '{"Retry-After": "60"}'
    );
  end if;
  perform app.fail(404, 'owner_not_found', 'User not found.', refuse_owner.hint);
end
$$;

comment on function app.refuse_owner(uuid, text) is
  'Refuses a request for a user without a profile: 503 profile_missing if the profile is due, '
  '404 owner_not_found otherwise.';
