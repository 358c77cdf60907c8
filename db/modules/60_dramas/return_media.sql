-- app.return_media
--
-- Writes      media_reservations, media_returns
-- Locks       the reservations of these runs; the caller holds the runs. Never waits for a
--             reservation of another run
-- Idempotent  a reservation is deleted when it is given back, so a repeated call finds none
create or replace function app.return_media(run_ids bigint[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_run_ids bigint[] := array(
    select r.run_id
    from app.media_reservations as r
    where r.run_id = any (return_media.run_ids)
  );
begin
  if v_run_ids = '{}' then
    return;
  end if;

  with ended as (
    delete from app.media_reservations as r
    where r.run_id = any (v_run_ids)
    returning r.run_id, r.owner_id, r.day, r.images, r.videos
  ),
  unused as (
    select
      e.owner_id,
      e.day,
      sum(least(e.images, o.images)) as images,
      sum(least(e.videos, o.videos)) as videos
    from ended as e
    join app.count_open_media(v_run_ids) as o on o.run_id = e.run_id
    group by e.owner_id, e.day
  )
  insert into app.media_returns (owner_id, day, images, videos)
  select u.owner_id, u.day, u.images, u.videos
  from unused as u
  where u.images > 0 or u.videos > 0
  union all
  -- For the row of all users.
  select null, u.day, sum(u.images), sum(u.videos)
  from unused as u
  group by u.day
  having sum(u.images) > 0 or sum(u.videos) > 0;
end
$$;

comment on function app.return_media(bigint[]) is
  'Gives media that ended runs reserved and never began back to the days of the reservations.';
