-- app.require_media_total
--
-- Errors      PT429 media_ceiling_reached with Retry-After
-- Why         429, because PostgREST treats a 503 like a lost connection: it reads the catalogs
--             again for each such answer, and sends its own Retry-After. The message has no
--             numbers, because they would tell each user about the others
create or replace function app.require_media_total(
  total_images integer,
  total_videos integer,
  images integer,
  videos integer
)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_settings app.settings := (select s from app.settings as s);
  v_wait integer := app.count_seconds_left();
begin
  if (
      require_media_total.images > 0
      and require_media_total.total_images + require_media_total.images
        > v_settings.all_images_per_day
    )
    or (
      require_media_total.videos > 0
      and require_media_total.total_videos + require_media_total.videos
        > v_settings.all_videos_per_day
    )
  then
    perform app.fail(
      429,
      'media_ceiling_reached',
      'All users together have reserved the images or videos that this server makes per day.',
      format('Try again in %s s, when the day (UTC) ends, or request fewer.', v_wait),
      jsonb_build_object('Retry-After', v_wait::text)
    );
  end if;
end
$$;

comment on function app.require_media_total(integer, integer, integer, integer) is
$$Refuses media beyond the daily ceiling of all users: 429 media_ceiling_reached.

total_images, total_videos: how many all users have reserved today, without this request.$$;
