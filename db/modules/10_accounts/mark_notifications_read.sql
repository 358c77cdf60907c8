-- app.mark_notifications_read, public.mark_notifications_read
--
-- Called by   clients
-- Writes      notifications
-- Errors      PT401 not_signed_in, PT405 post_required
-- Locks       the user, for no key update, because two such requests, or a request and a deletion
--             of the user, lock notifications in any order; then the unread notifications of the
--             user
create or replace function app.mark_notifications_read()
  returns integer
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_user_id uuid := app.require_user();
  v_marked integer;
begin
  perform app.require_writing();
  perform
  from public.users as u
  where u.id = v_user_id
  for no key update;

  update public.notifications as n
  set read_at = app.now()
  where n.user_id = v_user_id and n.read_at is null;
  get diagnostics v_marked = row_count;

  return v_marked;
end
$$;

comment on function app.mark_notifications_read() is
  'Marks all notifications of the caller as read; see public.mark_notifications_read.';

create or replace function public.mark_notifications_read()
  returns integer
  language sql
  volatile
  set search_path = ''
return app.mark_notifications_read();

comment on function public.mark_notifications_read() is
$$Marks all notifications of the caller as read, and returns how many were unread.

401 not_signed_in.$$;

grant execute on function app.mark_notifications_read() to anon, authenticated;
grant execute on function public.mark_notifications_read() to anon, authenticated;
