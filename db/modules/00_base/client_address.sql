-- app.client_address
create or replace function app.client_address()
  returns text
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_header text := (select s.client_address_header from app.settings as s);
begin
  return app.read_address(
    nullif(current_setting('request.headers', true), '')::json ->> v_header
  );
end
$$;

comment on function app.client_address() is
  'Returns the client address of this request (an IPv6 address as its /64 network), or "unknown".';
