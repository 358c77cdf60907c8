-- app.build_drama
--
-- Why         stable: it reads with the snapshot of the calling statement, so that the document and
--             the updated_at that this statement reads agree
create or replace function app.build_drama(drama_id uuid)
  returns json
  language plpgsql
  stable
  set search_path = ''
  set timezone = 'UTC'
  set plan_cache_mode = force_generic_plan
  set jit = off
  -- Index lookups only, whatever the statistics say: ADR 16.
  set enable_seqscan = off
as $$
begin
  return (
    select json_build_object(
      'id', d.id,
      'external_id', d.external_id,
      'title', d.title,
      'premise', d.premise,
      'logline', d.logline,
      'genre', d.genre,
      'language', d.language,
      'style', d.style,
      'model', d.model,
      'cover_url', d.cover_url,
      'options', d.options,
      'extra', app.find_drama_extra(d.id),
      'run_id', d.run_id,
      'created_at', d.created_at,
      'updated_at', d.updated_at,
      'characters', (
        select coalesce(json_agg(
          json_build_object(
            'id', c.id,
            'name', c.name,
            'role', c.role,
            'description', c.description,
            'appearance', c.appearance,
            'portrait_url', c.portrait_url,
            'portrait_job_id', c.portrait_job_id,
            'extra', c.extra
          ) order by c.position
        ), '[]')
        from public.drama_characters as c
        where c.drama_id = d.id
      ),
      'episodes', (
        select coalesce(json_agg(
          json_build_object(
            'id', e.id,
            'title', e.title,
            'summary', e.summary,
            'script', coalesce(x.script, ''),
            'extra', coalesce(x.extra, '{}'),
            'scenes', coalesce(s.scenes, '[]')
          ) order by e.position
        ), '[]')
        from public.episodes as e
        left join app.episode_details as x on x.episode_id = any (array[e.id])
        left join (
          select
            s.episode_id,
            json_agg(
              json_build_object(
                'id', s.id,
                'title', s.title,
                'summary', s.summary,
                'text', s.text,
                'image_prompt', coalesce(x.image_prompt, ''),
                'video_prompt', coalesce(x.video_prompt, ''),
                'character_ids', s.character_ids,
                'image_url', s.image_url,
                'image_job_id', s.image_job_id,
                'video_url', s.video_url,
                'video_job_id', s.video_job_id,
                'audio_url', s.audio_url,
                'extra', coalesce(x.extra, '{}')
              ) order by s.position
            ) as scenes
          from public.scenes as s
          left join app.scene_details as x on x.scene_id = any (array[s.id])
          where s.drama_id = build_drama.drama_id
          group by s.episode_id
        ) as s on s.episode_id = e.id
        where e.drama_id = d.id
      )
    )
    from public.dramas as d
    where d.id = build_drama.drama_id
  );
end
$$;

comment on function app.build_drama(uuid) is
  'Returns a drama as docs/drama.schema.json describes it; null: not found.';
