-- app.client_address
--
-- Why         Clients can forge x-forwarded-for, so the header to trust is a setting per target. In
--             a list the last entry counts, because the nearest proxy appended it. An IPv6 client
--             owns a whole /64.
create or replace function app.client_address()
  returns text
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_header text := (select s.client_address_header from app.settings as s);
  v_text text;
  v_address inet;
begin
  if v_header is null then
    return 'unknown';
  end if;

  v_text := nullif(current_setting('request.headers', true), '')::json ->> v_header;
  -- The usual value needs no parsing. This function runs for each anonymous request.
  if v_text ~ '^((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(\.(?!$)|$)){4}$' then
    return v_text;
  end if;

  v_text := trim(regexp_replace(v_text, '^.*,', ''));
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

comment on function app.client_address() is
  'Returns the client address of this request (an IPv6 address as its /64 network), or "unknown".';
