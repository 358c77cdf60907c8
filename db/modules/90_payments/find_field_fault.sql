-- app.find_field_fault
--
-- Why         the signed text has no separators. So digits and words can move between neighbouring
--             fields without another signature. Fixed forms of all fields, and fixed values of
--             integration and owner, leave one way to split the text:
--             docs/guide/payments.md
create or replace function app.find_field_fault(signed jsonb)
  returns text
  language sql
  stable
  set search_path = ''
as $$
  select f.fault
  from app.settings as s
  cross join lateral (
    values
      (
        'fields_invalid',
        not coalesce(
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
          and not exists (
            select
            from unnest(
              array[
                'error_occured', 'has_parent_transaction', 'is_3d_secure', 'is_auth', 'is_capture',
                'is_refunded', 'is_standalone_payment', 'is_voided', 'pending', 'success'
              ]
            ) as n (name)
            where coalesce(signed ->> n.name, '') not in ('true', 'false')
          ),
          false
        )
      ),
      (
        'payments_not_configured',
        s.paymob_integration_ids = '{}' or s.paymob_owner_id is null
      ),
      (
        'integration_differs',
        signed ->> 'integration_id' <> all (s.paymob_integration_ids::text[])
      ),
      ('owner_differs', signed ->> 'owner' <> s.paymob_owner_id::text)
  ) as f (fault, is_true)
  where f.is_true
  limit 1
$$;

comment on function app.find_field_fault(jsonb) is
  'Returns why signed fields cannot be those of a transaction of our account, as a slug; null if '
  'they can.';
