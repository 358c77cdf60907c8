-- app.require_share_room
--
-- Errors      PT429 rate_limited, PT503 store_full
-- Why         a refused write rolls back what it counted, so refused writes would do all their work
--             uncounted. This function checks before the work, and counts and locks nothing;
--             app.take_share_rate counts at the end.
create or replace function app.require_share_room()
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_bytes bigint;
  v_limit integer;
begin
  if auth.role() = 'service_role' then
    return;
  end if;

  v_bytes := coalesce(
    nullif(current_setting('request.headers', true), '')::json ->> 'content-length', '0'
  )::bigint;
  select s.share_writes_per_minute into v_limit from app.settings as s;
  perform app.require_rate(
    'share_writes',
    app.caller_key(),
    v_limit,
    interval '1 minute',
    app.get_share_cost(v_bytes, v_limit)
  );
  perform app.require_store_space(v_bytes);
end
$$;

comment on function app.require_share_room() is
$$Refuses a write of sharing before its work.

429 rate_limited: the caller's rate has no room for a request of this Content-Length.
503 store_full: the shares of all callers fill the store.$$;
