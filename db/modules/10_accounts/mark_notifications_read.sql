-- app.mark_notifications_read, public.mark_notifications_read
--
-- Called by   clients
-- Writes      notifications
-- Errors      PT401 not_signed_in, PT405 post_required
-- Locks       the user, for no key update, because two such requests, or a request and a deletion
--             of the user, lock notifications in any order; then the notifications that it marks
-- Why         a call marks 5,000 notifications at most: it holds the user, Realtime sends each
--             change, and some tens of thousands may be unread
create or replace function app.mark_notifications_read()
  returns integer
  language plpgsql
  volatile
  security definer
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
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
  where n.id = any (
    array(
      select o.id
      from public.notifications as o
      where o.user_id = v_user_id and o.read_at is null
      limit 5000
    )
  );
  get diagnostics v_marked = row_count;

  return v_marked;
end
$$;

comment on function app.mark_notifications_read() is
  'Marks notifications of the caller as read; see public.mark_notifications_read.';

create or replace function public.mark_notifications_read()
  returns integer
  language sql
  volatile
  set search_path = ''
return app.mark_notifications_read();

comment on function public.mark_notifications_read() is
$$Marks all notifications of the caller as read, 5,000 at most, and returns how many were unread.

If it returns 5000, call it again. 401 not_signed_in.$$;

grant execute on function app.mark_notifications_read() to anon, authenticated;
grant execute on function public.mark_notifications_read() to anon, authenticated;
