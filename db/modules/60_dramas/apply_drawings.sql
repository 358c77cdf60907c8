-- app.apply_drawings
--
-- Writes      scenes
-- Locks       the caller has locked the dramas
create or replace function app.apply_drawings(job_ids bigint[])
  returns bigint[]
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
begin
  update public.scenes as s
  set
    -- A URL or a job that a person has set stays.
    image_job_id = case
      when s.image_url is null then coalesce(s.image_job_id, m.image_job_id)
      else s.image_job_id
    end,
    video_job_id = case
      when s.video_url is null then coalesce(s.video_job_id, m.video_job_id)
      else s.video_job_id
    end
  from (
    select
      r.drama_id,
      app.parse_uuid(c.input -> 'target_id') as scene_id,
      min(c.id) filter (where c.type = 'generate_image') as image_job_id,
      min(c.id) filter (where c.type = 'generate_video') as video_job_id
    from public.jobs as c
    join app.drama_runs as r on r.run_id = c.root_id
    where c.parent_id = any (apply_drawings.job_ids)
      and c.type in ('generate_image', 'generate_video')
    group by 1, 2
  ) as m
  where s.id = m.scene_id and s.drama_id = m.drama_id;

  -- The output of such a step is empty, so nothing of it can be malformed.
  return array(
    select j.id
    from public.jobs as j
    where j.id = any (apply_drawings.job_ids) and j.type = 'draw_episode'
  );
end
$$;

comment on function app.apply_drawings(bigint[]) is
$$Stores in the scenes of an episode which jobs make their images and videos.

job_ids: steps of any type; those of type draw_episode are returned.$$;
