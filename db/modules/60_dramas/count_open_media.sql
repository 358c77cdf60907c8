-- app.count_open_media
--
-- Why         a step that was never started has bought nothing. A step with saved state has started
--             an operation at the provider, which continues when the step runs again. A step that
--             started without saving state may have bought, so it counts as bought at the end of
--             the run, and as open when retry_job reopens it (app.reopen_steps clears started_at)
create or replace function app.count_open_media(run_ids bigint[])
  returns table (run_id bigint, images integer, videos integer)
  language plpgsql
  stable
  rows 1
  set search_path = ''
as $$
begin
  return query
  select
    i.id,
    (s.open_images + greatest(0, coalesce(w.images, 0) - s.images))::integer,
    (s.open_videos + greatest(0, coalesce(w.videos, 0) - s.videos))::integer
  from unnest(count_open_media.run_ids) as i (id)
  cross join lateral (
    select
      count(*) filter (where m.is_image) as images,
      count(*) filter (where not m.is_image) as videos,
      count(*) filter (where m.is_image and m.is_open) as open_images,
      count(*) filter (where not m.is_image and m.is_open) as open_videos
    from (
      select
        j.type = 'generate_image' as is_image,
        j.started_at is null
          and q.claimed_at is null
          and q.state is null
          and not exists (
            select from app.step_states as t where t.job_id = any (array[j.id])
          ) as is_open
      from public.jobs as j
      -- Index lookups even on empty tables: ADR 16.
      left join app.job_queue as q on q.job_id = any (array[j.id])
      where j.root_id = any (array[i.id]) and j.type in ('generate_image', 'generate_video')
    ) as m
  ) as s
  -- The media whose steps do not exist yet, if this run generates the drama.
  left join lateral (
    select n.images, n.videos
    from app.drama_runs as o
    join public.dramas as d on d.id = any (array[o.drama_id]) and d.run_id = o.run_id
    cross join lateral app.count_wanted_media(d.options) as n
    where o.run_id = i.id
  ) as w on true;
end
$$;

comment on function app.count_open_media(bigint[]) is
$$Counts the images and videos that these runs have not begun: their steps have not started, or do
not exist yet.$$;
