-- app.tg__refuse_credit_change
--
-- Errors      PT409 credits_protected
-- Why         permits the deletion of grants and holds by the deletion of their user, whose row is
--             already deleted at this moment. Reads the row as JSON, because each of its tables has
--             other columns
create or replace function app.tg__refuse_credit_change()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  if tg_table_name = 'credit_hold_grants' then
    if tg_op = 'DELETE' and not exists (
      select from public.credit_holds as h where h.id = (to_jsonb(old) ->> 'hold_id')::uuid
    ) then
      return old;
    end if;
  elsif tg_level = 'ROW' and tg_table_name <> 'users' and tg_op <> 'INSERT' then
    if not exists (
      select from public.users as u where u.id = (to_jsonb(old) ->> 'user_id')::uuid
    ) then
      return case tg_op when 'DELETE' then old else new end;
    end if;
  end if;
  perform app.fail(
    409,
    'credits_protected',
    format('Only functions change credits: %s of %s is refused.', tg_op, tg_table_name),
    'Call adjust_credits to change the balance of a user.'
  );

  return null;
end
$$;

comment on function app.tg__refuse_credit_change() is
  'Refuses every change of credits outside of app.apply_credits, for every writer.';
