-- app.require_credit_amount
--
-- Errors      PT422 credits_invalid
create or replace function app.require_credit_amount(amount numeric)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_max constant integer := 1000000000;
begin
  if coalesce(
    require_credit_amount.amount between 1 and v_max
      and require_credit_amount.amount = trunc(require_credit_amount.amount),
    false
  ) then
    return;
  end if;
  perform app.fail(
    422,
    'credits_invalid',
    format('An amount of credits is a whole number from 1 to %s.', v_max),
    'Send a whole number in this range.'
  );
end
$$;

comment on function app.require_credit_amount(numeric) is
  'Refuses an amount of credits that is not a whole number from 1 to 1,000,000,000: 422 '
  'credits_invalid.';
