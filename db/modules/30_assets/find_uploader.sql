-- sidecar.find_uploader
--
-- Called by   the sidecar, before it gives an upload a place
-- Why         the sidecar gives each caller a share of its places, and a caller without a place is
--             refused before anything is written
create or replace function sidecar.find_uploader(headers json)
  returns table (caller text, is_everybody boolean)
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  -- PostgREST sets the same variable, so app.caller_key finds the caller of either door.
  perform set_config('request.headers', coalesce(find_uploader.headers::text, '{}'), true);
  caller := app.caller_key();
  is_everybody := (select s.client_address_header is null from app.settings as s);
  return next;

  caller := app.network_of(caller);
  if caller is not null then
    return next;
  end if;
end
$$;

comment on function sidecar.find_uploader(json) is
$$Names the caller of an upload for limits.

headers: the header that names the client's address, with its name in lower case. The first row has
the caller, a second one the /48 network of an IPv6 caller. is_everybody: no header is trusted to
name the address, so all callers have the same name.$$;

grant execute on function sidecar.find_uploader(json) to sidecar;
