-- app.require_media
--
-- Errors      PT429 media_limit_reached, media_ceiling_reached, buying_stopped; each with
--             Retry-After (no 503: see app.require_media_total)
-- Locks       the owner's row of media_days; the caller has locked the owner or a run of the owner,
--             and new lanes
-- Why         app.reserve_media follows in the same transaction, so parallel requests of a user see
--             each other. The ceiling is only looked at here, to refuse before the work is done;
--             trigger _100_count_total counts it when the transaction commits. service_role spends
--             the owner's day, too, because the plan belongs to the owner
create or replace function app.require_media(owner_id uuid, images integer, videos integer)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_day app.media_days;
  v_total record;
  v_plan public.plans;
  v_wait integer := app.count_seconds_left();
  v_kind text;
  v_limit integer;
  v_reserved integer;
  v_wanted integer;
begin
  if (select s.buying_is_stopped from app.settings as s) then
    perform app.fail(
      429,
      'buying_stopped',
      'This server buys nothing from AI providers at the moment.',
      'Try again later.',
      jsonb_build_object('Retry-After', '600')
    );
  end if;

  v_total := app.count_media(null, app.utc_day());
  perform app.require_media_total(
    v_total.images, v_total.videos, require_media.images, require_media.videos
  );

  v_day := app.lock_media_day(require_media.owner_id, app.utc_day());
  select p.* into v_plan
  from public.users as u
  join public.plans as p on p.id = u.plan_id
  where u.id = require_media.owner_id;
  if require_media.videos > 0
    and v_day.videos + require_media.videos > coalesce(v_plan.videos_per_day, 0)
  then
    v_kind := 'videos';
    v_limit := v_plan.videos_per_day;
    v_reserved := v_day.videos;
    v_wanted := require_media.videos;
  elsif require_media.images > 0
    and v_day.images + require_media.images > coalesce(v_plan.images_per_day, 0)
  then
    v_kind := 'images';
    v_limit := v_plan.images_per_day;
    v_reserved := v_day.images;
    v_wanted := require_media.images;
  else
    return;
  end if;

  perform app.fail(
    429,
    'media_limit_reached',
    format(
      'The plan allows %s %s a day (UTC): %s are reserved, and this request needs %s.',
      v_limit, v_kind, v_reserved, v_wanted
    ),
    case
      when v_wanted > v_limit then 'Request fewer: the plan never allows so many in one day.'
      else format(
        'Try again in %s s, or request fewer. get_media_limits returns what is left.', v_wait
      )
    end,
    jsonb_build_object('Retry-After', v_wait::text)
  );
end
$$;

comment on function app.require_media(uuid, integer, integer) is
$$Refuses a request for more images or videos than the owner's plan allows today, and locks the
owner's day for app.reserve_media.

429 media_limit_reached. 429 media_ceiling_reached: all users together reached the ceiling of the
day. 429 buying_stopped: app.settings.buying_is_stopped.$$;
