-- app.require_public_count
--
-- Errors      PT429 too_many_public_shares with Retry-After
-- Why         exact where the caller's row of rate_limits is locked, which app.take_share_rate
--             does: the next public share of the caller waits there, and counts afterwards
create or replace function app.require_public_count(more integer)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_now timestamptz := app.now();
  v_max integer := (select s.public_shares_max from app.settings as s);
  v_live record;
  v_wait integer;
begin
  select count(*) as shares, min(s.expires_at) as next_at into v_live
  from app.share_packages as p
  join public.shared_resources as s on s.id = p.share_id
  where p.caller_hash = app.hash_caller()
    and p.counted_until > v_now
    and s.expires_at > v_now;

  if v_live.shares + require_public_count.more > v_max then
    v_wait := coalesce(ceil(extract(epoch from v_live.next_at - v_now)), 3600)::integer;
    perform app.fail(
      429,
      'too_many_public_shares',
      format('A caller may have at most %s live public shares.', v_max),
      format('Share it as unlisted, or wait %s s until the first of them expires.', v_wait),
      jsonb_build_object('Retry-After', v_wait::text)
    );
  end if;
end
$$;

comment on function app.require_public_count(integer) is
$$Refuses public shares of a caller who has app.settings.public_shares_max live ones.

more: how many public shares the caller is about to insert. service_role has no limit.
429 too_many_public_shares with Retry-After: until the first of them expires.$$;
