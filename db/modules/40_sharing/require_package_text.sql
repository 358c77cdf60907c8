-- app.require_package_text
--
-- Called by   app.read_flow
-- Errors      PT413 package_too_large, PT422 nul_character
-- Why         the size comes first: everything after it reads the whole text
create or replace function app.require_package_text(package json)
  returns void
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  if octet_length(require_package_text.package::text) > 5242880 then
    perform app.fail(413, 'package_too_large', 'A shared package may have 5 MiB at most.', 'Share less at once.');
  end if;

  if strpos(require_package_text.package::text, '\u0000') > 0
    and require_package_text.package::text ~ '(^|[^\\])(\\\\)*\\u0000'
  then
    perform app.fail(422, 'nul_character', 'The package contains the character \u0000, which cannot be stored.', 'Remove it.');
  end if;
end
$$;

comment on function app.require_package_text(json) is 'Refuses a package that is too large or contains \u0000.';

revoke execute on function app.require_package_text(json) from public;
