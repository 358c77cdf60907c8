-- app.reserve_media
--
-- Writes      media_days, media_reservations; at commit, by trigger _100_count_total, the row of
--             all users in media_days
-- Errors      at commit: PT429 media_ceiling_reached
-- Locks       none; app.require_media has locked the owner's row of media_days
create or replace function app.reserve_media(
  run_id bigint,
  owner_id uuid,
  images integer,
  videos integer
)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  if reserve_media.images = 0 and reserve_media.videos = 0 then
    return;
  end if;

  update app.media_days as d
  set images = d.images + reserve_media.images, videos = d.videos + reserve_media.videos
  where d.owner_id = reserve_media.owner_id and d.day = app.utc_day();
  insert into app.media_reservations (run_id, owner_id, day, images, videos)
  values (
    reserve_media.run_id, reserve_media.owner_id, app.utc_day(), reserve_media.images,
    reserve_media.videos
  );
end
$$;

comment on function app.reserve_media(bigint, uuid, integer, integer) is
  'Reserves media for a run in the owner''s day, after app.require_media has permitted it.';
