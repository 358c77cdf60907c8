-- app.find_field_fault
--
-- Why         the signed text has no separators. So digits and words can move between neighbouring
--             fields without another signature. Fixed forms of all fields, and fixed values of
--             integration and owner, leave one way to split the text:
--             docs/guide/payments.md
create or replace function app.find_field_fault(signed jsonb)
  returns text
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_integration_ids bigint[];
  v_owner_id bigint;
begin
  if not coalesce(
    signed ->> 'id' ~ '^[1-9][0-9]{0,17}$'
    and signed ->> 'order.id' ~ '^[1-9][0-9]{0,17}$'
    and signed ->> 'integration_id' ~ '^[1-9][0-9]{0,17}$'
    and signed ->> 'owner' ~ '^[1-9][0-9]{0,17}$'
    and signed ->> 'amount_cents' ~ '^(0|[1-9][0-9]{0,9})$'
    and signed ->> 'currency' ~ '^[A-Z]{3}$'
    and signed ->> 'created_at' ~ (
      '^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])'
      'T([01][0-9]|2[0-3])(:[0-5][0-9]){2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})?$'
    )
    and signed ->> 'error_occured' in ('true', 'false')
    and signed ->> 'has_parent_transaction' in ('true', 'false')
    and signed ->> 'is_3d_secure' in ('true', 'false')
    and signed ->> 'is_auth' in ('true', 'false')
    and signed ->> 'is_capture' in ('true', 'false')
    and signed ->> 'is_refunded' in ('true', 'false')
    and signed ->> 'is_standalone_payment' in ('true', 'false')
    and signed ->> 'is_voided' in ('true', 'false')
    and signed ->> 'pending' in ('true', 'false')
    and signed ->> 'success' in ('true', 'false'),
    false
  ) then
    return 'fields_invalid';
  end if;

  select s.paymob_integration_ids, s.paymob_owner_id
  into v_integration_ids, v_owner_id
  from app.settings as s;
  return case
    when v_integration_ids = '{}' or v_owner_id is null then 'payments_not_configured'
    when (signed ->> 'integration_id')::bigint <> all (v_integration_ids) then 'integration_differs'
    when (signed ->> 'owner')::bigint <> v_owner_id then 'owner_differs'
  end;
end
$$;

comment on function app.find_field_fault(jsonb) is
  'Returns why signed fields cannot be those of a transaction of our account, as a slug; null if '
  'they can.';
