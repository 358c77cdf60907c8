-- app.lock_large_package
--
-- Errors      PT429 rate_limited
-- Locks       the caller (advisory), until commit
-- Why         checking a large package takes seconds, and a refusal rolls back what it counted. So
--             a caller has one large package in progress at a time; the others wait in turn.
create or replace function app.lock_large_package(bytes bigint)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_lock bigint;
begin
  if lock_large_package.bytes <= app.get_share_limit('large_package_bytes')
    or auth.role() = 'service_role'
  then
    return;
  end if;

  v_lock := hashtextextended('large package of ' || app.caller_key(), 0);
  if not pg_try_advisory_xact_lock(v_lock) then
    perform app.wait_for_large_package(v_lock);
  end if;
end
$$;

comment on function app.lock_large_package(bigint) is
$$Locks the caller for a large package until commit.

Waits for up to 5 s while the caller has another large package in progress; then 429 rate_limited
with Retry-After. A small package, and service_role, need no lock.$$;
