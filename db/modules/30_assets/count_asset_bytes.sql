-- app.tg_asset_times__count_asset_bytes
--
-- Writes      asset_bytes
create or replace function app.tg_asset_times__count_asset_bytes()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_stored bigint;
  v_unreferenced bigint;
begin
  if tg_op <> 'INSERT' then
    select -sum(o.size_byte), -sum(o.size_byte) filter (where not o.is_referenced)
    into v_stored, v_unreferenced
    from old_rows as o;
  end if;
  if tg_op <> 'DELETE' then
    select
      coalesce(v_stored, 0) + sum(n.size_byte),
      coalesce(v_unreferenced, 0) + coalesce(sum(n.size_byte) filter (where not n.is_referenced), 0)
    into v_stored, v_unreferenced
    from new_rows as n;
  end if;
  perform app.add_asset_bytes(v_stored, coalesce(v_unreferenced, 0));

  return null;
end
$$;

comment on function app.tg_asset_times__count_asset_bytes() is
  'Counts the bytes of assets.';
