-- app.lock_more_credits
--
-- Errors      55P03, after 50 ms
-- Locks       the users, lowest id first, for no key update
create or replace function app.lock_more_credits(user_ids uuid[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
  set lock_timeout = '50ms'
as $$
begin
  perform
  from public.users as u
  where u.id = any (lock_more_credits.user_ids)
  order by u.id
  for no key update;
end
$$;

comment on function app.lock_more_credits(uuid[]) is
  'Locks the credits of users for a transaction that holds credits of other users already.';
