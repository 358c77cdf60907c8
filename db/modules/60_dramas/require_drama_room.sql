-- app.require_drama_room
--
-- Errors      PT429 dramas_per_day_reached, dramas_open_reached, each with Retry-After
-- Why         the caller holds the owner's row of media_days, so that no other transaction starts a
--             drama of this owner. The function is volatile, so that it sees earlier rows of the
--             same insert
create or replace function app.require_drama_room(owner_id uuid, dramas_of_day integer)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_plan record;
  v_count record;
  v_wait integer := app.count_seconds_left();
begin
  select p.dramas_per_day, p.dramas_open into v_plan
  from public.users as u
  join public.plans as p on p.id = u.plan_id
  where u.id = require_drama_room.owner_id;
  if v_plan.dramas_per_day is null and v_plan.dramas_open is null then
    return;
  end if;

  select
    coalesce((
      select d.dramas
      from app.media_days as d
      where d.owner_id = require_drama_room.owner_id and d.day = app.utc_day()
    ), 0) as of_day,
    (
      -- An open drama has a reservation: the portraits and images that it wants.
      select count(*)
      from app.media_reservations as m
      join app.runs as r on r.id = m.run_id and r.finished_at is null
      join public.jobs as j on j.id = m.run_id and j.type = 'generate_drama'
      where m.owner_id = require_drama_room.owner_id
    ) as open
  into v_count;

  if v_count.of_day + require_drama_room.dramas_of_day > v_plan.dramas_per_day then
    perform app.fail(
      429,
      'dramas_per_day_reached',
      format('Your plan has %s dramas per day.', v_plan.dramas_per_day),
      'Wait until the day (UTC) ends.',
      jsonb_build_object('Retry-After', v_wait::text)
    );
  end if;
  if v_count.open >= v_plan.dramas_open then
    perform app.fail(
      429,
      'dramas_open_reached',
      format('Your plan has %s dramas in progress at a time.', v_plan.dramas_open),
      'Wait until the run of a drama has ended, or cancel or delete one.',
      '{"Retry-After": "60"}'
    );
  end if;
end
$$;

comment on function app.require_drama_room(uuid, integer) is
$$Refuses to start another drama that exceeds the plan of an owner.

dramas_of_day: 1 for a new drama, 0 for one that runs again. 429 dramas_per_day_reached,
dramas_open_reached.$$;
