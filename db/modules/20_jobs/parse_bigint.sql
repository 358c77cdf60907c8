-- app.parse_bigint
create or replace function app.parse_bigint(value jsonb)
  returns bigint
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return case
    when jsonb_typeof(parse_bigint.value) = 'number'
      and parse_bigint.value::text ~ '^[0-9]+$'
      and length(parse_bigint.value::text) <= 18
      then parse_bigint.value::bigint
  end;
end
$$;

comment on function app.parse_bigint(jsonb) is
  'Parses a whole number from 0 to 999999999999999999; returns null for any other value.';
