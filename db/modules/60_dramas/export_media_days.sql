-- app.export_media_days
create or replace function app.export_media_days(user_id uuid)
  returns setof json
  language sql
  stable
  set search_path = ''
as $$
  select json_build_object(
    'day', d.day,
    'dramas', d.dramas,
    'images', c.images,
    'videos', c.videos
  )
  from app.media_days as d
  cross join lateral app.count_media(d.owner_id, d.day) as c
  where d.owner_id = export_media_days.user_id
  order by d.day
$$;

comment on function app.export_media_days(uuid) is
  'Returns how many dramas and media a user requested on the last days, for app.export_user_data.';
