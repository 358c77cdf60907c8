-- app.tg_settings__wake_paid_lanes
--
-- Writes      lanes; the queue: a pump
-- Locks       the lanes, with skip locked, because a locked lane wakes by itself within five
--             seconds
create or replace function app.tg_settings__wake_paid_lanes()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  update app.lanes as l
  set wake_at = app.now()
  where l.id = any (
    array(
      select p.id
      from app.lanes as p
      where p.wake_at < 'infinity'
        and p.type in (select t.name from public.job_types as t where t.is_paid)
      for no key update skip locked
    )
  );
  perform app.enqueue_pump();

  return null;
end
$$;

comment on function app.tg_settings__wake_paid_lanes() is
  'Lets workers claim paid steps at once when app.settings.buying_is_stopped is turned off.';
