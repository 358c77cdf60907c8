-- app.save_drama_scenes
--
-- Writes      scenes, scene_details
-- Errors      PT404 drama_not_found: an id belongs to another drama
-- Locks       the caller has locked the drama
create or replace function app.save_drama_scenes(
  drama_id uuid,
  owner_id uuid,
  episode_ids uuid[],
  episodes json
)
  returns void
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_scenes json;
  v_ids uuid[];
begin
  -- The scenes of all episodes in one list; the statement below joins each with its place.
  select
    coalesce(json_agg(s.scene order by e.n, s.n), '[]'),
    coalesce(
      array_agg(coalesce((s.scene ->> 'id')::uuid, gen_random_uuid()) order by e.n, s.n),
      '{}'
    )
  into v_scenes, v_ids
  from json_array_elements(save_drama_scenes.episodes) with ordinality as e (episode, n)
  cross join lateral json_array_elements(
    coalesce(e.episode -> 'scenes', '[]')
  ) with ordinality as s (scene, n);

  delete from public.scenes as s
  where s.drama_id = save_drama_scenes.drama_id and s.id <> all (v_ids);

  -- An episode of another drama: the error of the foreign key would be less plain.
  if exists (
    select
    from public.episodes as e
    where e.id = any (save_drama_scenes.episode_ids) and e.drama_id <> save_drama_scenes.drama_id
  ) then
    perform app.fail(
      404,
      'drama_not_found',
      'Drama not found, or it refers to a character, episode or scene of another drama.',
      'Check the ids; leave out the ids of new parts.'
    );
  end if;

  with wanted as materialized (
    select
      w.*,
      (w.image_prompt, w.video_prompt, w.extra::text) is distinct from (
        coalesce(x.image_prompt, ''), coalesce(x.video_prompt, ''), coalesce(x.extra::text, '{}')
      ) as has_new_details
    from (
      select
        v_ids[n.n] as id,
        p.episode_id,
        p.position,
        coalesce(n.title, '') as title,
        coalesce(n.summary, '') as summary,
        coalesce(n.text, '') as text,
        coalesce(n.image_prompt, '') as image_prompt,
        coalesce(n.video_prompt, '') as video_prompt,
        coalesce(n.character_ids, '{}') as character_ids,
        n.image_url,
        n.video_url,
        n.audio_url,
        coalesce(n.extra, '{}') as extra
      from rows from (
        json_to_recordset(v_scenes) as (
          title text, summary text, text text, image_prompt text, video_prompt text,
          character_ids uuid[], image_url text, video_url text, audio_url text, extra json
        )
      ) with ordinality as n (
        title, summary, text, image_prompt, video_prompt, character_ids, image_url, video_url,
        audio_url, extra, n
      )
      join (
        select
          row_number() over (order by e.n, s.n) as n,
          save_drama_scenes.episode_ids[e.n] as episode_id,
          s.n as position
        from json_array_elements(save_drama_scenes.episodes) with ordinality as e (episode, n)
        cross join lateral generate_series(
          1, json_array_length(coalesce(e.episode -> 'scenes', '[]'))
        ) as s (n)
      ) as p on p.n = n.n
    ) as w
    left join app.scene_details as x on x.scene_id = any (array[w.id])
  ),
  stored as (
    insert into public.scenes as s (
      id, drama_id, episode_id, owner_id, position, title, summary, text, character_ids, image_url,
      video_url, audio_url
    )
    select
      w.id,
      save_drama_scenes.drama_id,
      w.episode_id,
      save_drama_scenes.owner_id,
      w.position,
      w.title,
      w.summary,
      w.text,
      w.character_ids,
      w.image_url,
      w.video_url,
      w.audio_url
    from wanted as w
    on conflict on constraint scenes_pkey do update
      set
        episode_id = excluded.episode_id,
        position = excluded.position,
        title = excluded.title,
        summary = excluded.summary,
        text = excluded.text,
        character_ids = excluded.character_ids,
        image_url = excluded.image_url,
        -- A running job does not replace a URL that a person has set.
        image_job_id = case
          when s.image_url is not distinct from excluded.image_url then s.image_job_id
        end,
        video_url = excluded.video_url,
        video_job_id = case
          when s.video_url is not distinct from excluded.video_url then s.video_job_id
        end,
        audio_url = excluded.audio_url
      where s.drama_id = excluded.drama_id
        and (
          (
            s.episode_id, s.position, s.title, s.summary, s.text, s.character_ids, s.image_url,
            s.video_url, s.audio_url
          ) is distinct from (
            excluded.episode_id, excluded.position, excluded.title, excluded.summary,
            excluded.text, excluded.character_ids, excluded.image_url, excluded.video_url,
            excluded.audio_url
          )
          or s.id in (select w.id from wanted as w where w.has_new_details)
        )
  )
  insert into app.scene_details as x (scene_id, image_prompt, video_prompt, extra)
  select w.id, w.image_prompt, w.video_prompt, w.extra
  from wanted as w
  where w.has_new_details
  on conflict on constraint scene_details_pkey do update
    set
      image_prompt = excluded.image_prompt,
      video_prompt = excluded.video_prompt,
      extra = excluded.extra;

  if (
    select count(*) from public.scenes as s where s.drama_id = save_drama_scenes.drama_id
  ) <> cardinality(v_ids) then
    perform app.fail(
      404,
      'drama_not_found',
      'Drama not found, or it refers to a character, episode or scene of another drama.',
      'Check the ids; leave out the ids of new parts.'
    );
  end if;
end
$$;

comment on function app.save_drama_scenes(uuid, uuid, uuid[], json) is
  'Makes the scenes of a drama equal to those of a document; episode_ids has the ids of episodes.';
