-- app.apply_drama_assets
--
-- Writes      drama_characters, scenes
-- Locks       the caller holds the dramas' locks
-- Why         an asset takes the result of the job that it names, so that of several the one asked for last counts
create or replace function app.apply_drama_assets(job_ids bigint[])
  returns bigint[]
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_ids bigint[];
begin
  with portrayed as (
    update public.drama_characters as c
    set portrait_url = app.read_url(j.output -> 'url')
    from public.jobs as j
    join app.drama_runs as r on r.run_id = j.root_id
    where j.id = any (apply_drama_assets.job_ids)
      and j.type = 'generate_image'
      and app.read_url(j.output -> 'url') is not null
      and c.id = app.read_uuid(j.input -> 'target_id')
      and c.drama_id = r.drama_id
      and c.portrait_job_id = j.id
    returning j.id
  ),
  -- One update for both: of two in one statement, on the same scene, only one would be carried out.
  shown as (
    update public.scenes as s
    set
      image_url = coalesce(a.image_url, s.image_url),
      video_url = coalesce(a.video_url, s.video_url)
    from (
      select
        t.id,
        min(app.read_url(j.output -> 'url')) filter (where t.image_job_id = j.id) as image_url,
        min(app.read_url(j.output -> 'url')) filter (where t.video_job_id = j.id) as video_url,
        array_agg(j.id) as job_ids
      from public.jobs as j
      join app.drama_runs as r on r.run_id = j.root_id
      join public.scenes as t on t.id = app.read_uuid(j.input -> 'target_id') and t.drama_id = r.drama_id
      where j.id = any (apply_drama_assets.job_ids)
        and app.read_url(j.output -> 'url') is not null
        and (j.type = 'generate_image' and t.image_job_id = j.id or j.type = 'generate_video' and t.video_job_id = j.id)
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

comment on function app.apply_drama_assets(bigint[]) is 'Puts images and videos where they belong; returns the steps whose results were taken.';
