-- app.create_missing_profiles
--
-- Called by   schedule create-missing-profiles
-- Writes      users, missing_profiles
-- Why         each profile has a block of its own, so one that still fails does not stop the others
create or replace function app.create_missing_profiles()
  returns integer
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_user_id uuid;
  v_created integer := 0;
begin
  for v_user_id in
    select m.user_id
    from app.missing_profiles as m
    order by m.failed_at
    limit 100
    for update skip locked
  loop
    begin
      insert into public.users (id)
      values (v_user_id)
      on conflict on constraint users_pkey do nothing;
      delete from app.missing_profiles as m where m.user_id = v_user_id;
      v_created := v_created + 1;
    exception
      when others then
        update app.missing_profiles as m
        set failed_at = app.clock(), error = format('%s (%s)', sqlerrm, sqlstate)
        where m.user_id = v_user_id;
    end;
  end loop;

  return v_created;
end
$$;

comment on function app.create_missing_profiles() is
  'Creates the profiles that failed at the sign-up, and returns how many. A profile that fails '
  'again stays in app.missing_profiles, with the new error.';
