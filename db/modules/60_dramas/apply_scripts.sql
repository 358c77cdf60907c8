-- app.apply_scripts
--
-- Writes      episodes, scenes
-- Locks       the caller holds the dramas' locks
create or replace function app.apply_scripts(job_ids bigint[])
  returns bigint[]
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_ids bigint[];
begin
  with scripted as (
    update public.episodes as e
    -- What somebody has written meanwhile stays.
    set script = coalesce(nullif(e.script, ''), app.read_text(j.output -> 'script', 100000))
    from public.jobs as j
    join app.drama_runs as r on r.run_id = j.root_id
    where j.id = any (apply_scripts.job_ids)
      and j.type = 'write_script'
      and jsonb_typeof(j.output -> 'scenes') = 'array'
      and e.id = app.read_uuid(j.input -> 'episode_id')
      and e.drama_id = r.drama_id
    returning j.id
  )
  select coalesce(array_agg(s.id), '{}') into v_ids
  from scripted as s;

  insert into public.scenes (id, drama_id, episode_id, owner_id, position, title, summary, character_ids)
  select
    p.id,
    p.drama_id,
    p.episode_id,
    p.owner_id,
    coalesce((select max(s.position) from public.scenes as s where s.episode_id = p.episode_id), 0) + p.place,
    app.read_text(p.part -> 'title', 500),
    app.read_text(p.part -> 'summary', 10000),
    array(
      select c.id
      from public.drama_characters as c
      where c.drama_id = p.drama_id and p.part -> 'character_ids' ? c.id::text
      order by c.position
      limit 200
    )
  from (
    select
      p.*,
      e.id as episode_id,
      row_number() over (partition by e.id order by p.job_id, p.n) as place,
      row_number() over (partition by p.drama_id order by p.job_id, p.n) as drama_place
    from app.read_output_parts(v_ids, 'write_script', 'scenes') as p
    join public.episodes as e on e.id = app.read_uuid(p.input -> 'episode_id') and e.drama_id = p.drama_id
  ) as p
  -- No more than can be saved.
  where p.place + (select count(*) from public.scenes as s where s.episode_id = p.episode_id) <= 500
    and p.drama_place + (select count(*) from public.scenes as s where s.drama_id = p.drama_id) <= 2000
  on conflict on constraint scenes_pkey do nothing;

  return v_ids;
end
$$;

comment on function app.apply_scripts(bigint[]) is 'Puts scenes into their episodes; returns the steps whose scenes were taken.';
