-- app.apply_drama_media
--
-- Writes      drama_characters, scenes
-- Locks       the caller has locked the dramas
-- Why         a portrait, image or video takes only the result of the job in its *_job_id, so that
--             the last request counts
create or replace function app.apply_drama_media(job_ids bigint[])
  returns bigint[]
  language plpgsql
  volatile
  set search_path = ''
  -- One plan with index lookups, even if it was made on empty tables: ADR 16. To plan this
  -- statement again for each batch would take longer than to run it.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_ids bigint[];
begin
  with made as materialized (
    select
      j.id,
      j.type,
      r.drama_id,
      app.parse_uuid(j.input -> 'target_id') as target_id,
      app.parse_url(j.output -> 'url') as url
    from public.jobs as j
    join app.drama_runs as r on r.run_id = j.root_id
    where j.id = any (apply_drama_media.job_ids)
      and j.type in ('generate_image', 'generate_video')
  ),
  portrayed as (
    update public.drama_characters as c
    set portrait_url = m.url
    from made as m
    where m.type = 'generate_image'
      and m.url is not null
      and c.id = m.target_id
      and c.drama_id = m.drama_id
      and c.portrait_job_id = m.id
    returning m.id
  ),
  -- One update for image and video: Postgres runs only one of two updates of a row in a statement.
  shown as (
    update public.scenes as s
    set
      image_url = coalesce(a.image_url, s.image_url),
      video_url = coalesce(a.video_url, s.video_url)
    from (
      select
        t.id,
        min(m.url) filter (where t.image_job_id = m.id) as image_url,
        min(m.url) filter (where t.video_job_id = m.id) as video_url,
        array_agg(m.id) as job_ids
      from made as m
      join public.scenes as t on t.id = m.target_id and t.drama_id = m.drama_id
      where m.url is not null
        and (
          (m.type = 'generate_image' and t.image_job_id = m.id)
          or (m.type = 'generate_video' and t.video_job_id = m.id)
        )
      group by t.id
    ) as a
    where s.id = a.id
    returning a.job_ids
  )
  select coalesce(array_agg(t.id), '{}') into v_ids
  from (
    select p.id from portrayed as p
    union all
    select unnest(s.job_ids) from shown as s
  ) as t;

  return v_ids;
end
$$;

comment on function app.apply_drama_media(bigint[]) is
$$Stores the URLs of portraits, images and videos that these steps made.

Returns the steps whose URL was stored.$$;
