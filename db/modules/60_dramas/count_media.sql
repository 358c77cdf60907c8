-- app.count_media
create or replace function app.count_media(
  owner_id uuid,
  day date,
  out images integer,
  out videos integer
)
  returns record
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  select
    greatest(0, coalesce(sum(c.images), 0))::integer,
    greatest(0, coalesce(sum(c.videos), 0))::integer
  into images, videos
  from (
    select d.images, d.videos
    from app.media_days as d
    -- In two parts, because "is not distinct from" uses no index.
    where (
        d.owner_id = count_media.owner_id
        or (count_media.owner_id is null and d.owner_id is null)
      )
      and d.day = count_media.day
    union all
    select -r.images, -r.videos
    from app.media_returns as r
    where (
        r.owner_id = count_media.owner_id
        or (count_media.owner_id is null and r.owner_id is null)
      )
      and r.day = count_media.day
  ) as c;
end
$$;

comment on function app.count_media(uuid, date) is
  'Counts the media that a user has reserved on a day and not given back; null: all users.';
