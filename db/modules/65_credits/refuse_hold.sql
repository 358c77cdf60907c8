-- app.refuse_hold
--
-- Errors      PT402 credits_insufficient, PT404 owner_not_found; always one of them
create or replace function app.refuse_hold(user_id uuid, amount integer, spendable bigint)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  if not exists (select from public.users as u where u.id = refuse_hold.user_id) then
    perform app.fail(404, 'owner_not_found', 'User not found.', 'Send the id of an existing user.');
  end if;
  perform app.fail(
    402,
    'credits_insufficient',
    format(
      'This costs %s credit%s, and %s %s available.',
      refuse_hold.amount,
      case when refuse_hold.amount <> 1 then 's' end,
      refuse_hold.spendable,
      case when refuse_hold.spendable = 1 then 'is' else 'are' end
    ),
    'Buy credits, wait until running requests end, or wait for the next period of the plan.'
  );
end
$$;

comment on function app.refuse_hold(uuid, integer, bigint) is
  'Refuses a hold that the credits of its user do not cover. The message has the cost and the '
  'available credits.';
