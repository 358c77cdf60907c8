-- app.take_share_rate, app.tg__take_share_rate
--
-- Called by   app.share_flow; triggers _200_take_share_rate on what clients insert directly
-- Errors      PT429 rate_limited
-- Locks       the caller's row of rate_limits, until the transaction ends: call it last
create or replace function app.take_share_rate(bytes bigint)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  -- Who has the service key is trusted; all its users come from one address.
  if auth.role() = 'service_role' then
    return;
  end if;

  perform app.take_rate(
    'share_writes',
    app.caller_key(),
    (select s.share_writes_per_minute from app.settings as s),
    interval '1 minute',
    1 + (take_share_rate.bytes / 65536)::integer
  );
end
$$;

comment on function app.take_share_rate(bigint) is 'Takes one write, and one more per 64 KiB, from the caller''s rate.';

-- A row costs a KiB besides what is in it, or one request could write a million empty ones.
create or replace function app.tg__take_share_rate()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  perform app.take_share_rate((select coalesce(sum(new_rows.size_bytes + 1024), 0) from new_rows));
  return null;
end
$$;

comment on function app.tg__take_share_rate() is 'Counts a direct write into the caller''s rate.';

revoke execute on function app.take_share_rate(bigint) from public;
revoke execute on function app.tg__take_share_rate() from public;
