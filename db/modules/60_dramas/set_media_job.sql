-- app.set_media_job
--
-- Writes      portrait_job_id, image_job_id or video_job_id
-- Locks       the caller has locked the drama
create or replace function app.set_media_job(target_id uuid, kind text, job_id bigint)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  if set_media_job.kind = 'portrait' then
    update public.drama_characters as c
    set portrait_job_id = set_media_job.job_id
    where c.id = set_media_job.target_id;
  elsif set_media_job.kind = 'image' then
    update public.scenes as s
    set image_job_id = set_media_job.job_id
    where s.id = set_media_job.target_id;
  else
    update public.scenes as s
    set video_job_id = set_media_job.job_id
    where s.id = set_media_job.target_id;
  end if;
end
$$;

comment on function app.set_media_job(uuid, text, bigint) is
  'Lets a portrait, image or video accept the result of this job only.';
