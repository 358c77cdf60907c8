-- app.tg_shared_resources__count_packages
--
-- Writes      rate_limits, anonymous_bytes
-- Errors      PT429 rate_limited, too_many_public_shares
-- Locks       the caller's row of rate_limits, then a row of anonymous_bytes, without waiting
-- Why         a package may be far larger than the rows that were inserted for it: a session's has
--             its flow
create or replace function app.tg_shared_resources__count_packages()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_new record;
begin
  select
    coalesce(sum(octet_length(p.package::text) + 1024), 0) as bytes,
    bool_or(s.visibility = 'public') as has_public
  into v_new
  from new_shares as s
  join app.share_packages as p on p.share_id = s.id;

  perform app.take_share_rate(v_new.bytes);
  if v_new.has_public then
    perform app.require_public_count(0);
  end if;
  -- For the packages, and for their rows, which now live as long as the shares.
  perform app.count_anonymous_bytes(2 * v_new.bytes);
  -- The insert has ended, so policy select_new must not show its last row any more.
  perform set_config('plinth.new_row', '', true);

  return null;
end
$$;

comment on function app.tg_shared_resources__count_packages() is
  'Counts the packages of shares that a client inserts directly into the rate of the caller.';
