-- app.wait_for_large_package
--
-- Errors      PT429 rate_limited
-- Locks       the advisory lock, until commit
-- Why         apart from app.lock_large_package, because a function with a setting of its own costs
--             each caller more. Half of the statement's time remains for the work: anon's direct
--             inserts have 3 s.
create or replace function app.wait_for_large_package(lock bigint)
  returns void
  language plpgsql
  volatile
  set search_path = ''
  set lock_timeout = '5s'
as $$
declare
  v_longest interval := nullif(current_setting('statement_timeout'), '0')::interval / 2;
begin
  if v_longest < interval '5 seconds' then
    -- Ends with this function.
    perform set_config(
      'lock_timeout', format('%sms', ceil(extract(epoch from v_longest) * 1000)), true
    );
  end if;

  perform pg_advisory_xact_lock(wait_for_large_package.lock);
exception
  when lock_not_available then
    perform app.fail(
      429,
      'rate_limited',
      'Other large packages of this caller are in progress.',
      format(
        'Share packages over %s KiB one after another.',
        app.get_share_limit('large_package_bytes') / 1024
      ),
      '{"Retry-After": "1"}'
    );
end
$$;

comment on function app.wait_for_large_package(bigint) is
$$Waits for the lock of a caller's large package.

Waits for 5 s at most, and at most half of the statement timeout; then 429 rate_limited.$$;
