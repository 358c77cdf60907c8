-- app.tg_users__create_profile
--
-- Writes      users: one row for each new auth user, in the same transaction; missing_profiles
-- Why         a sign-up must not fail because of its profile: Supabase Auth would answer 500 to
--             everybody who signs up. So this function catches any error, which the style otherwise
--             forbids. Postgres logs the error, missing_profiles stores the error, and a schedule
--             tries again
create or replace function app.tg_users__create_profile()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  insert into public.users (id)
  select new_users.id
  from new_users
  on conflict on constraint users_pkey do nothing;

  return null;
exception
  when others then
    raise warning 'A profile could not be created: % (%)', sqlerrm, sqlstate;
    insert into app.missing_profiles (user_id, failed_at, error)
    select new_users.id, app.clock(), format('%s (%s)', sqlerrm, sqlstate)
    from new_users
    on conflict on constraint missing_profiles_pkey do nothing;

    return null;
end
$$;

comment on function app.tg_users__create_profile() is
  'Creates the profile of each new auth user. Notes the users whose profile cannot be created.';
