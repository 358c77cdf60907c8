-- app.lock_drama_owner
--
-- Errors      PT404 owner_not_found, PT503 profile_missing
-- Locks       the user, before any run or drama: deleting a user locks in this order, too
create or replace function app.lock_drama_owner(user_id uuid)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  perform
  from public.users as u
  where u.id = lock_drama_owner.user_id
  for key share;
  if not found then
    perform app.refuse_owner(lock_drama_owner.user_id, 'Send the id of an existing user.');
  end if;
end
$$;

comment on function app.lock_drama_owner(uuid) is
  'Locks a user against deletion until the transaction ends; 404 owner_not_found; '
  '503 profile_missing.';
