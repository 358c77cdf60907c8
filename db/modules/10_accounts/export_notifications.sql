-- app.export_notifications
create or replace function app.export_notifications(user_id uuid)
  returns setof json
  language sql
  stable
  set search_path = ''
as $$
  select to_json(n)
  from public.notifications as n
  where n.user_id = export_notifications.user_id
  order by n.created_at, n.id
$$;

comment on function app.export_notifications(uuid) is
  'Returns the notifications of a user, for app.export_user_data.';
