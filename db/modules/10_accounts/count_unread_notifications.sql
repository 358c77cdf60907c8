-- app.count_unread_notifications, public.count_unread_notifications
--
-- Called by   clients
-- Errors      PT401 not_signed_in
create or replace function app.count_unread_notifications()
  returns integer
  language plpgsql
  stable
  security definer
  set search_path = ''
as $$
declare
  v_user_id uuid := app.require_user();
begin
  return (
    select count(*)::integer
    from public.notifications as n
    where n.user_id = v_user_id and n.read_at is null
  );
end
$$;

comment on function app.count_unread_notifications() is
  'Returns how many notifications the caller has not read; see public.count_unread_notifications.';

create or replace function public.count_unread_notifications()
  returns integer
  language sql
  stable
  set search_path = ''
return app.count_unread_notifications();

comment on function public.count_unread_notifications() is
$$Returns how many notifications of the caller are unread.

401 not_signed_in.$$;

grant execute on function app.count_unread_notifications() to anon, authenticated;
grant execute on function public.count_unread_notifications() to anon, authenticated;
