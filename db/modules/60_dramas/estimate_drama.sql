-- app.estimate_drama
create or replace function app.estimate_drama(drama_id uuid)
  returns bigint
  language plpgsql
  stable
  set search_path = ''
  -- Index lookups only, whatever the statistics say: ADR 16.
  set plan_cache_mode = force_generic_plan
  set jit = off
  set enable_seqscan = off
as $$
begin
  -- A byte becomes six at most in JSON (\u0001). Keys, ids and times of a part: 500 bytes at most.
  return (
    select
      2000 + octet_length(app.find_drama_extra(d.id)::text) + octet_length(d.options::text)
        + 6 * octet_length(concat(
          d.title, d.premise, d.logline, d.genre, d.language, d.style, d.model, d.external_id,
          d.cover_url
        ))
    from public.dramas as d
    where d.id = estimate_drama.drama_id
  ) + coalesce((
    select sum(
      500 + octet_length(c.extra::text)
        + 6 * octet_length(concat(c.name, c.role, c.description, c.appearance, c.portrait_url))
    )
    from public.drama_characters as c
    where c.drama_id = estimate_drama.drama_id
  ), 0) + coalesce((
    select sum(500 + 6 * octet_length(concat(e.title, e.summary)))
    from public.episodes as e
    where e.drama_id = estimate_drama.drama_id
  ), 0) + coalesce((
    select sum(octet_length(x.extra::text) + 6 * octet_length(x.script))
    from app.episode_details as x
    where x.episode_id = any (
      array(select e.id from public.episodes as e where e.drama_id = estimate_drama.drama_id)
    )
  ), 0) + coalesce((
    select sum(
      500 + 40 * cardinality(s.character_ids)
        + 6 * (
          octet_length(concat(s.title, s.image_url, s.video_url, s.audio_url))
            + octet_length(s.summary)
            + octet_length(s.text)
        )
    )
    from public.scenes as s
    where s.drama_id = estimate_drama.drama_id
  ), 0) + coalesce((
    select sum(
      octet_length(x.extra::text)
        + 6 * (octet_length(x.image_prompt) + octet_length(x.video_prompt))
    )
    from app.scene_details as x
    where x.scene_id = any (
      array(select s.id from public.scenes as s where s.drama_id = estimate_drama.drama_id)
    )
  ), 0);
end
$$;

comment on function app.estimate_drama(uuid) is
  'Returns the largest size in bytes that a drama can have as a document, without building it.';
