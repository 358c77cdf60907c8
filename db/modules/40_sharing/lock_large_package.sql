-- app.lock_large_package
--
-- Errors      PT429 rate_limited
-- Locks       the caller (advisory), until commit
-- Why         checking a large package takes seconds, and a refusal rolls back what it counted. So
--             a caller has one large package in progress at a time; a second one fails at once.
create or replace function app.lock_large_package(bytes bigint)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  if lock_large_package.bytes > app.get_share_limit('large_package_bytes')
    and auth.role() is distinct from 'service_role'
    and not pg_try_advisory_xact_lock(
      hashtextextended('large package of ' || app.caller_key(), 0)
    )
  then
    perform app.fail(
      429,
      'rate_limited',
      'Another large package of this caller is in progress.',
      format(
        'Share packages over %s KiB one after another.',
        app.get_share_limit('large_package_bytes') / 1024
      ),
      '{"Retry-After": "1"}'
    );
  end if;
end
$$;

comment on function app.lock_large_package(bigint) is
$$Locks the caller for a large package until commit.

429 rate_limited with Retry-After: the caller has another large package in progress. A small
package, and service_role, need no lock.$$;
