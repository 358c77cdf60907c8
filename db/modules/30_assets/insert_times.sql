-- app.tg_assets__insert_times
--
-- Writes      asset_times
create or replace function app.tg_assets__insert_times()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  insert into app.asset_times (asset_id, status, used_at, status_at, created_at, size_byte)
  values (new.id, new.status, app.now(), app.now(), app.now(), new.size_byte);

  return null;
end
$$;

comment on function app.tg_assets__insert_times() is 'Makes the row of asset_times of a new asset.';
