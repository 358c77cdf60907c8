-- app.tg_generations__lock_user
--
-- Errors      PT401 not_signed_in
-- Locks       the user, for no key update
-- Why         callbacks, requests and a deletion of the user lock the user before generations. A
--             statement of a client locks generations in any order, so this trigger locks the user
--             first
create or replace function app.tg_generations__lock_user()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_user_id uuid := app.require_user();
begin
  perform
  from public.users as u
  where u.id = v_user_id
  for no key update;

  return null;
end
$$;

comment on function app.tg_generations__lock_user() is
  'Locks the user before the user changes or deletes some of their generations.';
