-- app.get_share_cost
create or replace function app.get_share_cost(bytes bigint)
  returns integer
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  -- A package of any allowed size can be shared once a minute at least.
  return (
    select least(1 + get_share_cost.bytes / 65536, s.share_writes_per_minute)
    from app.settings as s
  );
end
$$;

comment on function app.get_share_cost(bigint) is
  'Returns how many writes a write of so many bytes counts as: one, and one more for each 64 KiB.';
