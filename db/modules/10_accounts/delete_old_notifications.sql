-- app.delete_old_notifications
--
-- Called by   schedule delete-old-notifications
-- Writes      notifications
-- Locks       the rows, with skip locked
create or replace function app.delete_old_notifications()
  returns integer
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_deleted integer;
begin
  delete from public.notifications as n
  where n.id = any (
    array(
      select o.id
      from public.notifications as o
      where o.created_at < app.now() - (select s.notification_retention from app.settings as s)
      order by o.created_at
      -- Each row is an event of Realtime: ADR 24.
      limit 300
      for update skip locked
    )
  );
  get diagnostics v_deleted = row_count;

  return v_deleted;
end
$$;

comment on function app.delete_old_notifications() is
  'Deletes up to 300 old notifications, and returns their number.';
