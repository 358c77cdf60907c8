-- app.apply_scenes
--
-- Writes      scenes, scene_details
-- Locks       the caller has locked the dramas
create or replace function app.apply_scenes(job_ids bigint[])
  returns bigint[]
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_long constant integer := app.get_domain_limit('app.long_text');
  v_huge constant integer := app.get_domain_limit('app.huge_text');
  v_ids bigint[];
begin
  with written as (
    update public.scenes as s
    set
      -- A text, a URL or a job that a person has set stays.
      text = coalesce(nullif(s.text, ''), app.parse_text(j.output -> 'text', v_huge)),
      image_job_id = case
        when s.image_url is null and s.image_job_id is null then (
          select min(c.id)
          from public.jobs as c
          where c.parent_id = j.id and c.type = 'generate_image'
        )
        else s.image_job_id
      end,
      video_job_id = case
        when s.video_url is null and s.video_job_id is null then (
          select min(c.id)
          from public.jobs as c
          where c.parent_id = j.id and c.type = 'generate_video'
        )
        else s.video_job_id
      end
    from public.jobs as j
    join app.drama_runs as r on r.run_id = j.root_id
    where j.id = any (apply_scenes.job_ids)
      and j.type = 'write_scene'
      and jsonb_typeof(j.output -> 'text') = 'string'
      and s.id = app.parse_uuid(j.input -> 'scene_id')
      and s.drama_id = r.drama_id
    returning
      j.id,
      s.id as scene_id,
      app.parse_text(j.output -> 'image_prompt', v_long) as image_prompt,
      app.parse_text(j.output -> 'video_prompt', v_long) as video_prompt
  ),
  stored as (
    insert into app.scene_details as x (scene_id, image_prompt, video_prompt)
    select w.scene_id, w.image_prompt, w.video_prompt
    from written as w
    where w.image_prompt <> '' or w.video_prompt <> ''
    on conflict on constraint scene_details_pkey do update
      set
        -- A prompt that a person has written stays.
        image_prompt = coalesce(nullif(x.image_prompt, ''), excluded.image_prompt),
        video_prompt = coalesce(nullif(x.video_prompt, ''), excluded.video_prompt)
      where x.image_prompt = '' or x.video_prompt = ''
  )
  select coalesce(array_agg(w.id), '{}') into v_ids
  from written as w;

  return v_ids;
end
$$;

comment on function app.apply_scenes(bigint[]) is
$$Stores the texts and prompts of these steps in their scenes, with the jobs that make image and
video.

Returns the steps whose text was stored.$$;
