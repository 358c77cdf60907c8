-- sidecar.client_address_header
--
-- Called by   the sidecar, before it calls sidecar.admit_file
-- Why         With log_statement or log_parameter_max_length, Postgres logs the parameters of a
--             call. So the sidecar sends the one header that names the client's address, and not
--             the headers that hold secrets, such as x-api-key.
create or replace function sidecar.client_address_header()
  returns text
  language plpgsql
  stable
  security definer
  set search_path = ''
as $$
begin
  return (select s.client_address_header from app.settings as s);
end
$$;

comment on function sidecar.client_address_header() is
  'Returns the name of the header with the client''s address, in lower case; null if none is set.';

grant execute on function sidecar.client_address_header() to sidecar;
