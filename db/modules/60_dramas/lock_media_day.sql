-- app.lock_media_day
--
-- Writes      media_days; media_returns, whose rows it adds up and deletes
-- Locks       the row of media_days, until the transaction ends
-- Why         the end of a run only inserts into media_returns, so that a worker that hands in
--             results never waits for a reservation
create or replace function app.lock_media_day(owner_id uuid, day date)
  returns app.media_days
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_day app.media_days;
  v_images bigint;
  v_videos bigint;
begin
  insert into app.media_days as d (owner_id, day)
  values (lock_media_day.owner_id, lock_media_day.day)
  on conflict on constraint media_days_owner_and_day_are_unique
    do update set images = d.images
  returning d.* into v_day;

  -- A new statement, because only a new statement sees what the lock waited for.
  with returned as (
    delete from app.media_returns as r
    -- In two parts, because "is not distinct from" uses no index.
    where (
        r.owner_id = lock_media_day.owner_id
        or (lock_media_day.owner_id is null and r.owner_id is null)
      )
      and r.day = lock_media_day.day
    returning r.images, r.videos
  )
  select sum(r.images), sum(r.videos) into v_images, v_videos
  from returned as r;
  if v_images is not null then
    update app.media_days as d
    set
      images = greatest(0, d.images - v_images),
      videos = greatest(0, d.videos - v_videos)
    where d.id = v_day.id
    returning d.* into v_day;
  end if;

  return v_day;
end
$$;

comment on function app.lock_media_day(uuid, date) is
$$Locks the media that a user has reserved on a day, and subtracts those that runs gave back.

owner_id: null for all users together.$$;
