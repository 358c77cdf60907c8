-- app.mark_notification_read, public.mark_notification_read
--
-- Called by   clients
-- Writes      notifications
-- Errors      PT401 not_signed_in, PT405 post_required, PT404 notification_not_found
-- Idempotent  read_at keeps the time of the first call
create or replace function app.mark_notification_read(notification_id uuid)
  returns public.notifications
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_user_id uuid := app.require_user();
  v_notification public.notifications;
begin
  perform app.require_writing();
  update public.notifications as n
  set read_at = app.now()
  where n.id = mark_notification_read.notification_id
    and n.user_id = v_user_id
    and n.read_at is null;
  select n.* into v_notification
  from public.notifications as n
  where n.id = mark_notification_read.notification_id and n.user_id = v_user_id;
  if not found then
    perform app.fail(
      404,
      'notification_not_found',
      'Notification not found.',
      'Send the id of a row that table notifications shows to you.'
    );
  end if;

  return v_notification;
end
$$;

comment on function app.mark_notification_read(uuid) is
  'Marks a notification as read; see public.mark_notification_read.';

create or replace function public.mark_notification_read(notification_id uuid)
  returns public.notifications
  language sql
  volatile
  set search_path = ''
return app.mark_notification_read(notification_id);

comment on function public.mark_notification_read(uuid) is
$$Marks a notification as read, and returns its row.

A repeated call changes nothing. 401 not_signed_in. 404 notification_not_found.$$;

grant execute on function app.mark_notification_read(uuid) to anon, authenticated;
grant execute on function public.mark_notification_read(uuid) to anon, authenticated;
