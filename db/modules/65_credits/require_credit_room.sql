-- app.require_credit_room
--
-- Errors      PT404 owner_not_found, PT422 credits_too_many
-- Locks       the caller holds the user: app.lock_credits
create or replace function app.require_credit_room(user_id uuid, amount integer)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_max constant integer := 1000000000;
  v_credits integer;
  v_owed integer;
begin
  select u.credits, u.credits_owed into v_credits, v_owed
  from public.users as u
  where u.id = require_credit_room.user_id;
  if not found then
    perform app.fail(404, 'owner_not_found', 'User not found.', 'Send the id of an existing user.');
  end if;
  if greatest(
    v_credits::bigint + require_credit_room.amount, v_owed::bigint - require_credit_room.amount
  ) > v_max then
    perform app.fail(
      422,
      'credits_too_many',
      format('A user can have and owe at most %s credits.', v_max),
      'Send a smaller amount.'
    );
  end if;
end
$$;

comment on function app.require_credit_room(uuid, integer) is
  'Refuses a change after which a user would have or owe more than 1,000,000,000 credits: 422 '
  'credits_too_many. 404 owner_not_found.';
