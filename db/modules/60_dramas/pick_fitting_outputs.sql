-- app.pick_fitting_outputs, app.estimate_drama
--
-- Why         what is generated must be savable as it was opened: 4 MiB at most, as app.require_drama_fits has it. A drama is
--             measured exactly, which takes some milliseconds, only where the estimate says that it may be too large
create or replace function app.pick_fitting_outputs(job_ids bigint[])
  returns bigint[]
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return array(
    with made as (
      select
        j.id,
        r.drama_id,
        -- The output's own text, and what each part of it has besides in the document.
        sum(
          coalesce(octet_length(j.output::text), 0) + 600
            + 600 * (select count(*) from jsonb_path_query(j.output, 'lax $.*[*]'))
        ) over (partition by r.drama_id order by j.id) as bytes
      from public.jobs as j
      join app.drama_runs as r on r.run_id = any (array[j.root_id])
      where j.id = any (pick_fitting_outputs.job_ids)
    ),
    estimated as (
      select m.drama_id, max(m.bytes) as made, app.estimate_drama(m.drama_id) as bytes
      from made as m
      group by m.drama_id
    ),
    measured as (
      select
        e.drama_id,
        case
          when e.bytes + e.made <= 4194304 then e.bytes
          else octet_length(app.build_drama(e.drama_id)::text)
        end as bytes
      from estimated as e
    )
    select m.id
    from made as m
    join measured as d on d.drama_id = m.drama_id
    where d.bytes + m.bytes <= 4194304
  );
end
$$;

comment on function app.pick_fitting_outputs(bigint[]) is 'Of these steps, those whose outputs leave their dramas small enough to be saved.';

create or replace function app.estimate_drama(drama_id uuid)
  returns bigint
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  -- A character takes six bytes in JSON at worst.
  return (
    select
      2000 + octet_length(d.extra::text) + octet_length(d.options::text)
        + 6 * octet_length(concat(d.title, d.premise, d.logline, d.genre, d.language, d.style, d.model, d.external_id, d.cover_url))
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
    select sum(500 + octet_length(e.extra::text) + 6 * (octet_length(concat(e.title, e.summary)) + octet_length(e.script)))
    from public.episodes as e
    where e.drama_id = estimate_drama.drama_id
  ), 0) + coalesce((
    select sum(
      500 + octet_length(s.extra::text) + 40 * cardinality(s.character_ids)
        + 6 * (
          octet_length(concat(s.title, s.image_url, s.video_url, s.audio_url)) + octet_length(s.summary)
            + octet_length(s.text) + octet_length(s.image_prompt) + octet_length(s.video_prompt)
        )
    )
    from public.scenes as s
    where s.drama_id = estimate_drama.drama_id
  ), 0);
end
$$;

comment on function app.estimate_drama(uuid) is 'How many bytes a drama has as a document, at most.';
