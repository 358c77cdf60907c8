-- app.require_billing
--
-- Errors      PT422 billing_invalid
create or replace function app.require_billing(billing jsonb)
  returns jsonb
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  v_field text;
  v_value text;
  v_billing jsonb := jsonb_build_object();
begin
  foreach v_field in array array['first_name', 'last_name', 'email', 'phone'] loop
    v_value := case
      when jsonb_typeof(require_billing.billing -> v_field) = 'string'
        then btrim(require_billing.billing ->> v_field)
    end;
    if v_value is null
      or char_length(v_value) not between 1 and (case v_field when 'email' then 254 else 50 end)
      or v_value ~ '[[:cntrl:]]'
      or (v_field = 'email' and v_value !~ '^[^@\s]+@[^@\s]+\.[^@\s]+$')
      or (v_field = 'phone' and v_value !~ '^\+?[0-9][0-9 ()-]{4,19}$')
    then
      perform app.fail(
        422,
        'billing_invalid',
        format('billing.%s is missing or invalid.', v_field),
        'Send first_name and last_name of up to 50 characters, an email address, and a phone '
        'number such as +201000000000.'
      );
    end if;
    v_billing := v_billing || jsonb_build_object(v_field, v_value);
  end loop;

  return v_billing;
end
$$;

comment on function app.require_billing(jsonb) is
$$Checks the billing data that Paymob demands, and returns its four fields: first_name, last_name,
email, phone. 422 billing_invalid names the field.$$;
