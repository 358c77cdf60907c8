-- app.try_lock_credits
--
-- Locks       the users that no other transaction has locked, for no key update
create or replace function app.try_lock_credits(user_ids uuid[])
  returns uuid[]
  language sql
  volatile
  set search_path = ''
return array(
  select u.id
  from public.users as u
  where u.id = any (try_lock_credits.user_ids)
  order by u.id
  for no key update skip locked
);

comment on function app.try_lock_credits(uuid[]) is
  'Locks the credits of these users for a schedule without waiting, and returns the locked users.';
