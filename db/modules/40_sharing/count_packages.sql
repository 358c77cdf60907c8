-- app.tg_shared_resources__count_packages
--
-- Errors      PT429 rate_limited
-- Locks       the caller's row of rate_limits, until commit
-- Why         a package may be far larger than the rows that were inserted for it: a session's has
--             its flow
create or replace function app.tg_shared_resources__count_packages()
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

comment on function app.tg_shared_resources__count_packages() is
  'Counts the packages of shares that a client inserts directly into the rate of the caller.';
