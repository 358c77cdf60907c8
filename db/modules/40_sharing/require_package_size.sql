-- app.require_package_size
--
-- Errors      PT413 package_too_large, PT429 rate_limited
-- Locks       the caller (advisory), for a large one, until the transaction ends
-- Why         a refusal rolls back what it counted: whoever sends what takes seconds to refuse may do so once at a time
create or replace function app.require_package_size(package json)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  if octet_length(require_package_size.package::text) > 5242880 then
    perform app.fail(413, 'package_too_large', 'A shared package may have 5 MiB at most.', 'Share less at once.');
  end if;

  if octet_length(require_package_size.package::text) > 262144
    and auth.role() is distinct from 'service_role'
    and not pg_try_advisory_xact_lock(hashtextextended('large package of ' || app.caller_key(), 0))
  then
    perform app.fail(
      429,
      'rate_limited',
      'Another large package of this caller is being read.',
      'Share what is over 256 KiB one after another.',
      '{"Retry-After": "1"}'
    );
  end if;
end
$$;

comment on function app.require_package_size(json) is 'Refuses a package that is too large to be shared, and a large one beside another of the same caller.';
