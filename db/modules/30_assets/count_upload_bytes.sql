-- app.tg_asset_uploads__count_upload_bytes
--
-- Writes      asset_bytes
create or replace function app.tg_asset_uploads__count_upload_bytes()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_bytes bigint;
begin
  if tg_op = 'INSERT' then
    select sum(n.size_byte) into v_bytes from new_rows as n;
  else
    select -sum(o.size_byte) into v_bytes from old_rows as o;
  end if;
  perform app.add_asset_bytes(v_bytes, v_bytes);

  return null;
end
$$;

comment on function app.tg_asset_uploads__count_upload_bytes() is
  'Counts the bytes of uploads in progress and of broken ones.';
