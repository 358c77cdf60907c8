-- app.hold_drama_owner
--
-- Errors      PT404 owner_not_found
-- Locks       the user, before any run or drama, as deleting a user does
create or replace function app.hold_drama_owner(user_id uuid)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  perform
  from public.users as u
  where u.id = hold_drama_owner.user_id
  for key share;
  if not found then
    perform app.fail(404, 'owner_not_found', 'There is no such user.', 'Send the id of a user, or null.');
  end if;
end
$$;

comment on function app.hold_drama_owner(uuid) is 'Keeps a user from being deleted until the end of the transaction; 404 owner_not_found.';
