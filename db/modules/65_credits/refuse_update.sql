-- app.tg_credit_entries__refuse_update
--
-- Errors      PT409 credits_protected
create or replace function app.tg_credit_entries__refuse_update()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_new public.credit_entries := new;
begin
  v_new.user_id := old.user_id;
  if new.user_id is null
    and v_new is not distinct from old
    and not exists (select from public.users as u where u.id = old.user_id)
  then
    return new;
  end if;
  perform app.fail(
    409,
    'credits_protected',
    'An entry of the ledger cannot be changed.',
    'Call adjust_credits to correct the balance of a user with a new entry.'
  );

  return null;
end
$$;

comment on function app.tg_credit_entries__refuse_update() is
  'Refuses every change of an entry, except that the deletion of a user sets user_id to null.';
