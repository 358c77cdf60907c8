-- app.read_bigint
create or replace function app.read_bigint(value jsonb)
  returns bigint
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return case
    when jsonb_typeof(read_bigint.value) = 'number' and read_bigint.value::text ~ '^\d+$'
      and length(read_bigint.value::text) <= 18
      then read_bigint.value::bigint
  end;
end
$$;

comment on function app.read_bigint(jsonb) is 'A whole number that is not negative; null for anything else.';
