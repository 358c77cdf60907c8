-- app.take_share_rate, app.tg__take_share_rate, app.tg_shared_resources__take_share_rate
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
declare
  v_limit integer := (select s.share_writes_per_minute from app.settings as s);
begin
  -- Who has the service key is trusted; all its users come from one address.
  if auth.role() = 'service_role' then
    return;
  end if;

  perform app.take_rate(
    'share_writes',
    app.caller_key(),
    v_limit,
    interval '1 minute',
    -- Whatever is not too large to be shared can be shared, once a minute at least.
    least(1 + take_share_rate.bytes / 65536, v_limit)::integer
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

-- A package may be far larger than what was inserted for it: a session takes in a flow.
create or replace function app.tg_shared_resources__take_share_rate()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  perform app.take_share_rate((
    select coalesce(sum(octet_length(p.package::text) + 1024), 0)
    from new_shares
    join app.share_packages as p on p.share_id = new_shares.id
  ));
  return null;
end
$$;

comment on function app.tg_shared_resources__take_share_rate() is 'Counts the packages of a direct write into the caller''s rate.';
