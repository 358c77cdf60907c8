-- app.save_drama_episodes
--
-- Writes      episodes, episode_details; as app.save_drama_scenes
-- Errors      PT404 drama_not_found: an id belongs to another drama
-- Locks       the caller has locked the drama
create or replace function app.save_drama_episodes(drama_id uuid, owner_id uuid, episodes json)
  returns void
  language plpgsql
  volatile
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set jit = off
  set enable_seqscan = off
as $$
declare
  v_ids uuid[];
begin
  v_ids := array(
    select coalesce(n.id, gen_random_uuid())
    from rows from (
      json_to_recordset(save_drama_episodes.episodes) as (id uuid)
    ) with ordinality as n (id, position)
    order by n.position
  );

  with wanted as materialized (
    select
      w.*,
      (w.script, w.extra::text) is distinct from (
        coalesce(x.script, ''), coalesce(x.extra::text, '{}')
      ) as has_new_details
    from (
      select
        v_ids[n.position] as id,
        n.position,
        coalesce(n.title, '') as title,
        coalesce(n.summary, '') as summary,
        coalesce(n.script, '') as script,
        coalesce(n.extra, '{}') as extra
      from rows from (
        json_to_recordset(save_drama_episodes.episodes) as (
          title text, summary text, script text, extra json
        )
      ) with ordinality as n (title, summary, script, extra, position)
    ) as w
    left join app.episode_details as x on x.episode_id = any (array[w.id])
  ),
  stored as (
    insert into public.episodes as e (id, drama_id, owner_id, position, title, summary)
    select
      w.id,
      save_drama_episodes.drama_id,
      save_drama_episodes.owner_id,
      w.position,
      w.title,
      w.summary
    from wanted as w
    on conflict on constraint episodes_pkey do update
      set
        position = excluded.position,
        title = excluded.title,
        summary = excluded.summary
      where e.drama_id = excluded.drama_id
        and (
          (e.position, e.title, e.summary) is distinct from (
            excluded.position, excluded.title, excluded.summary
          )
          or e.id in (select w.id from wanted as w where w.has_new_details)
        )
  )
  insert into app.episode_details as x (episode_id, script, extra)
  select w.id, w.script, w.extra
  from wanted as w
  where w.has_new_details
  on conflict on constraint episode_details_pkey do update
    set script = excluded.script, extra = excluded.extra;

  -- Scenes first, then the deletion of episodes: a scene may have moved out of a deleted episode.
  perform app.save_drama_scenes(
    save_drama_episodes.drama_id,
    save_drama_episodes.owner_id,
    v_ids,
    save_drama_episodes.episodes
  );

  delete from public.episodes as e
  where e.drama_id = save_drama_episodes.drama_id and e.id <> all (v_ids);

  if (
    select count(*) from public.episodes as e where e.drama_id = save_drama_episodes.drama_id
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

comment on function app.save_drama_episodes(uuid, uuid, json) is
  'Makes the episodes and scenes of a drama equal to those of a document.';
