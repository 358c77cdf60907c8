-- app.tg_assets__update_times
--
-- Writes      asset_times
-- Why         the indexes that the cleaner reads need status and time in one table
create or replace function app.tg_assets__update_times()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  update app.asset_times as t
  set
    status = new.status,
    status_at = app.now(),
    -- Nothing is known to refer to an orphan, even if it is uploaded again.
    is_referenced = t.is_referenced and new.status = 'live'
  where t.asset_id = new.id;

  return null;
end
$$;

comment on function app.tg_assets__update_times() is
  'Keeps status and status_at of asset_times, and notes that nothing refers to an orphan.';
