-- app.tg_users__create_profile
--
-- Writes      users: one row for each new auth user, in the same transaction
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
end
$$;

comment on function app.tg_users__create_profile() is
  'Creates the profile of each new auth user.';
