-- app.tg_media_reservations__count_total
--
-- Writes      media_days: the row of all users; as app.lock_media_day
-- Errors      PT429 media_ceiling_reached
-- Locks       the row of all users, from here until the end of the commit
-- Why         a deferred constraint trigger: it runs when everything else is done, so a transaction
--             that holds this row waits for nothing, and a request that is slow or refused does not
--             stop the reservations of other users
create or replace function app.tg_media_reservations__count_total()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_total app.media_days;
begin
  v_total := app.lock_media_day(null, new.day);
  perform app.require_media_total(v_total.images, v_total.videos, new.images, new.videos);
  update app.media_days as d
  set images = d.images + new.images, videos = d.videos + new.videos
  where d.id = v_total.id;

  return null;
end
$$;

comment on function app.tg_media_reservations__count_total() is
  'Counts a reservation against the daily ceiling of all users, at commit.';
