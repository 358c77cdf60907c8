-- app.network_of
--
-- Why         A provider gives one customer a /48 with 65,536 networks of the size /64, each of
--             which is a caller of its own.
create or replace function app.network_of(key text)
  returns text
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  if network_of.key not like 'address %/64' then
    return null;
  end if;

  return 'address ' || network(set_masklen(substr(network_of.key, 9)::inet, 48))::text;
end
$$;

comment on function app.network_of(text) is
  'Returns the /48 network around the key of an anonymous IPv6 caller, as a key; null for any '
  'other key.';
