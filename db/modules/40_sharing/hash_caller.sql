-- app.hash_caller
--
-- Why         a client's address is personal data. The hash distinguishes the callers of one hour.
--             It does not hide an address, because an attacker can hash every IPv4 address.
create or replace function app.hash_caller()
  returns bigint
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return case
    when auth.role() is distinct from 'service_role' then hashtextextended(app.caller_key(), 0)
  end;
end
$$;

comment on function app.hash_caller() is
  'Returns a number that stands for the caller (user or address); null for service_role.';
