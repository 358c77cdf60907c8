-- app.tg_users__delete_user_rates
--
-- Writes      rate_limits
-- Why         no row with the id of a deleted user remains
create or replace function app.tg_users__delete_user_rates()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  perform app.delete_rates(
    array(
      select k.key
      from old_users as u
      cross join lateral (values ('user ' || u.id), (u.id::text)) as k (key)
    )
  );

  return null;
end
$$;

comment on function app.tg_users__delete_user_rates() is
  'Deletes the rate limits of deleted users.';
