-- app.require_package_size
--
-- Called by   app.read_flow, first: everything after it reads the whole text
-- Errors      PT413 package_too_large
create or replace function app.require_package_size(package json)
  returns void
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  if octet_length(require_package_size.package::text) > 5242880 then
    perform app.fail(413, 'package_too_large', 'A shared package may have 5 MiB at most.', 'Share less at once.');
  end if;
end
$$;

comment on function app.require_package_size(json) is 'Refuses a package that is too large to be shared.';

revoke execute on function app.require_package_size(json) from public;
