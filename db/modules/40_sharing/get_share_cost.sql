-- app.get_share_cost
--
-- The function of earlier releases, which read the limit again.
drop function if exists app.get_share_cost(bigint);

create or replace function app.get_share_cost(bytes bigint, "limit" integer)
  returns integer
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  -- A package of any allowed size can be shared once a minute at least.
  return least(1 + get_share_cost.bytes / 65536, get_share_cost."limit")::integer;
end
$$;

comment on function app.get_share_cost(bigint, integer) is
$$Returns how many writes a write of so many bytes counts as: one, and one more for each 64 KiB.

limit: app.settings.share_writes_per_minute.$$;
