-- app.get_media_limits, public.get_media_limits
--
-- Called by   clients for themselves; service_role for an owner
-- Errors      PT401 not_signed_in, PT404 owner_not_found, PT422 owner_missing
create or replace function app.get_media_limits(owner_id uuid)
  returns public.media_limits
  language plpgsql
  stable
  security definer
  set search_path = ''
as $$
declare
  v_owner_id uuid := app.require_drama_owner(get_media_limits.owner_id);
  v_limits public.media_limits;
begin
  select
    (app.utc_day() + 1)::timestamp at time zone 'UTC',
    p.images_per_day,
    c.images,
    greatest(0, p.images_per_day - c.images),
    p.videos_per_day,
    c.videos,
    greatest(0, p.videos_per_day - c.videos),
    p.bytes_stored,
    s.bytes,
    greatest(0, p.bytes_stored - s.bytes),
    p.dramas_per_day,
    d.dramas,
    case when p.dramas_per_day is not null then greatest(0, p.dramas_per_day - d.dramas) end
  into v_limits
  from app.count_media(v_owner_id, app.utc_day()) as c
  cross join app.count_owner_bytes(v_owner_id) as s (bytes)
  cross join lateral (
    select coalesce(sum(o.dramas), 0)::integer
    from app.media_days as o
    where o.owner_id = v_owner_id and o.day = app.utc_day()
  ) as d (dramas)
  left join public.users as u on u.id = v_owner_id
  left join public.plans as p on p.id = u.plan_id;

  return v_limits;
end
$$;

comment on function app.get_media_limits(uuid) is
  'Returns the dramas, images and videos that are left today, and the bytes; see '
  'public.get_media_limits.';

create or replace function public.get_media_limits(owner_id uuid default null)
  returns public.media_limits
  language sql
  stable
  set search_path = ''
return app.get_media_limits(owner_id);

comment on function public.get_media_limits(uuid) is
$$Returns how many dramas, and images and videos of dramas, the caller may still request today, and
how many bytes their dramas may still store.

owner_id: for service_role, the user. Returns { day_ends_at, images_per_day, images_reserved,
images_left, videos_per_day, videos_reserved, videos_left, bytes_stored, bytes_used, bytes_left,
dramas_per_day, dramas_started, dramas_left }. The user's plan sets images_per_day, videos_per_day,
bytes_stored and dramas_per_day (null: no limit, and dramas_left is null). A run reserves its media
when it starts, and gives back at its end the media that it did not begin. The ceiling of all users
may refuse a request earlier.
401 not_signed_in. 404 owner_not_found. 422 owner_missing.$$;

grant execute on function app.get_media_limits(uuid) to anon, authenticated, service_role;
grant execute on function public.get_media_limits(uuid) to anon, authenticated, service_role;
