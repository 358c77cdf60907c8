-- app.take_share_rate
--
-- Errors      PT429 rate_limited
-- Locks       the caller's row of rate_limits, until commit: call it last
create or replace function app.take_share_rate(bytes bigint)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_limit integer;
begin
  -- service_role is trusted, and all its users come from one address.
  if auth.role() = 'service_role' then
    return;
  end if;

  select s.share_writes_per_minute into v_limit from app.settings as s;
  perform app.take_rate(
    'share_writes',
    app.caller_key(),
    v_limit,
    interval '1 minute',
    app.get_share_cost(take_share_rate.bytes, v_limit)
  );
end
$$;

comment on function app.take_share_rate(bigint) is
$$Counts a write into the caller's rate of shares.

A write counts as one, and as one more for each 64 KiB. 429 rate_limited: the caller has written too
much.$$;
