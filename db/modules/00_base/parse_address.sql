-- app.parse_address
--
-- Called by   app.read_address
-- Why         Clients can forge x-forwarded-for, so the header to trust is a setting per target. In
--             a list the last entry counts, because the nearest proxy appended it. An IPv6 client
--             owns a whole /64.
create or replace function app.parse_address(value text)
  returns text
  language plpgsql
  immutable
  set search_path = ''
as $$
declare
  v_text text := trim(regexp_replace(parse_address.value, '^.*,', ''));
  v_address inet;
begin
  -- 1.2.3.4:5678, [2001:db8::1]:5678, ::ffff:1.2.3.4
  v_text := regexp_replace(v_text, '^([0-9]+\.[0-9]+\.[0-9]+\.[0-9]+):[0-9]+$', '\1');
  v_text := regexp_replace(v_text, '^\[(.*)\](:[0-9]+)?$', '\1');
  v_address := regexp_replace(v_text, '^::ffff:(?=[0-9]+\.)', '', 'i')::inet;

  return case
    when v_address is null then 'unknown'
    when family(v_address) = 6 then network(set_masklen(v_address, 64))::text
    else host(v_address)
  end;
exception
  when invalid_text_representation then
    return 'unknown';
end
$$;

comment on function app.parse_address(text) is
  'Returns the address that a header of a proxy names, an IPv6 address as its /64 network; '
  '"unknown" for null and for any other text.';
