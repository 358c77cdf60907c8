-- app.send_notifications
--
-- Called by   callbacks of the products
-- Writes      notifications
-- Locks       the users, lowest id first, for key share, without waiting: see app.notify
create or replace function app.send_notifications(notifications app.notification[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_user_ids uuid[] := array(
    select u.id
    from public.users as u
    where u.id = any (array(select n.user_id from unnest(send_notifications.notifications) as n))
    order by u.id
    for key share skip locked
  );
begin
  insert into public.notifications (user_id, kind, title, body, data, created_at)
  select n.user_id, n.kind, n.title, coalesce(n.body, ''), coalesce(n.data, '{}'), app.now()
  from unnest(send_notifications.notifications) as n
  where n.user_id = any (v_user_ids);
end
$$;

comment on function app.send_notifications(app.notification[]) is
$$Sends many notifications in one statement; see app.notify.

Deleted users get no notification.$$;
