-- app.require_store_space
--
-- Errors      PT503 store_full with Retry-After
-- Why         requests at the same moment do not see each other's bytes, so together they may
--             exceed the limit, but only by their own bytes
create or replace function app.require_store_space(bytes bigint)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_now timestamptz := app.now();
  v_live record;
  v_wait integer;
begin
  select
    coalesce(sum(b.bytes), 0) as bytes,
    min(b.expires_at) as next_at,
    (select s.anonymous_bytes_max from app.settings as s) as max_bytes
  into v_live
  from app.anonymous_bytes as b
  where b.expires_at > v_now;

  if v_live.bytes + require_store_space.bytes <= v_live.max_bytes then
    return;
  end if;

  v_wait := coalesce(ceil(extract(epoch from v_live.next_at - v_now)), 3600)::integer;
  perform app.fail(
    503,
    'store_full',
    'Sharing is full: all callers together have stored too much within an hour.',
    format('Try again in %s s, when the oldest shares have expired.', v_wait),
    jsonb_build_object('Retry-After', v_wait::text)
  );
end
$$;

comment on function app.require_store_space(bigint) is
$$Refuses a write that would exceed app.settings.anonymous_bytes_max.

503 store_full with Retry-After: the live shares of all callers have too many bytes.$$;
