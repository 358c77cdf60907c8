-- app.notify
--
-- Called by   callbacks and schedules of the products
-- Writes      notifications
-- Locks       the user, for key share, without waiting: the caller may hold rows that the deletion
--             of the user waits for. A user who is being deleted gets no notification
create or replace function app.notify(
  user_id uuid,
  kind text,
  title text,
  body text,
  data jsonb default '{}'
)
  returns uuid
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_id uuid;
begin
  perform
  from public.users as u
  where u.id = notify.user_id
  for key share skip locked;
  if not found then
    return null;
  end if;

  insert into public.notifications (user_id, kind, title, body, data, created_at)
  values (
    notify.user_id, notify.kind, notify.title, notify.body, coalesce(notify.data, '{}'), app.now()
  )
  returning id into v_id;

  return v_id;
end
$$;

comment on function app.notify(uuid, text, text, text, jsonb) is
$$Sends a notification to a user, and returns its id; null if the user is deleted.

kind: a slug for clients to switch on. title: 1 to 200 characters. body: up to 2,000 characters.
data: an object of up to 8 KiB.$$;
