-- app.apply_scripts
--
-- Writes      episodes, episode_details, scenes
-- Locks       the caller has locked the dramas
create or replace function app.apply_scripts(job_ids bigint[])
  returns bigint[]
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_short constant integer := app.get_domain_limit('app.short_text');
  v_long constant integer := app.get_domain_limit('app.long_text');
  v_huge constant integer := app.get_domain_limit('app.huge_text');
  v_max_characters constant integer := app.get_domain_limit('app.character_ids');
  v_max_scenes constant integer := app.get_domain_limit('app.scene_list');
  v_max_total constant integer := app.get_domain_limit('app.scene_total');
  v_ids bigint[];
begin
  with scripted as (
    -- Raises the versions of the episode and its drama.
    update public.episodes as e
    set updated_at = e.updated_at
    from public.jobs as j
    join app.drama_runs as r on r.run_id = j.root_id
    where j.id = any (apply_scripts.job_ids)
      and j.type = 'write_script'
      and jsonb_typeof(j.output -> 'scenes') = 'array'
      and e.id = app.parse_uuid(j.input -> 'episode_id')
      and e.drama_id = r.drama_id
    returning j.id, e.id as episode_id, app.parse_text(j.output -> 'script', v_huge) as script
  ),
  stored as (
    insert into app.episode_details as x (episode_id, script)
    select s.episode_id, s.script
    from scripted as s
    where s.script <> ''
    on conflict on constraint episode_details_pkey do update set script = excluded.script
      -- A script that a person has written stays.
      where x.script = ''
  )
  select coalesce(array_agg(s.id), '{}') into v_ids
  from scripted as s;

  insert into public.scenes (
    id, drama_id, episode_id, owner_id, position, title, summary, character_ids
  )
  select
    p.id,
    p.drama_id,
    p.episode_id,
    p.owner_id,
    p.place + coalesce(
      (select max(s.position) from public.scenes as s where s.episode_id = p.episode_id), 0
    ),
    app.parse_text(p.part -> 'title', v_short),
    app.parse_text(p.part -> 'summary', v_long),
    array(
      select c.id
      from public.drama_characters as c
      where c.drama_id = p.drama_id and p.part -> 'character_ids' ? c.id::text
      order by c.position
      limit v_max_characters
    )
  from (
    select
      p.*,
      e.id as episode_id,
      row_number() over (partition by e.id order by p.job_id, p.n) as place,
      row_number() over (partition by p.drama_id order by p.job_id, p.n) as drama_place
    from app.read_output_parts(v_ids, 'write_script', 'scenes', v_max_scenes) as p
    join public.episodes as e
      on e.id = app.parse_uuid(p.input -> 'episode_id') and e.drama_id = p.drama_id
  ) as p
  -- Only as many as save_drama_complete accepts.
  where p.place + (
      select count(*) from public.scenes as s where s.episode_id = p.episode_id
    ) <= v_max_scenes
    and p.drama_place + (
      select count(*) from public.scenes as s where s.drama_id = p.drama_id
    ) <= v_max_total
  on conflict on constraint scenes_pkey do nothing;

  return v_ids;
end
$$;

comment on function app.apply_scripts(bigint[]) is
$$Stores the scripts and scenes of these steps in their episodes.

Returns the steps whose script was stored.$$;
