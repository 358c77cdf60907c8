-- app.apply_outlines
--
-- Writes      dramas, episodes
-- Locks       the caller has locked the dramas
create or replace function app.apply_outlines(job_ids bigint[])
  returns bigint[]
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_label constant integer := app.get_domain_limit('app.label_text');
  v_short constant integer := app.get_domain_limit('app.short_text');
  v_medium constant integer := app.get_domain_limit('app.medium_text');
  v_long constant integer := app.get_domain_limit('app.long_text');
  v_max_episodes constant integer := app.get_domain_limit('app.episode_list');
  v_ids bigint[];
begin
  insert into public.episodes (id, drama_id, owner_id, position, title, summary)
  select
    p.id,
    p.drama_id,
    p.owner_id,
    p.place + coalesce(
      (select max(e.position) from public.episodes as e where e.drama_id = p.drama_id), 0
    ),
    app.parse_text(p.part -> 'title', v_short),
    app.parse_text(p.part -> 'summary', v_long)
  from (
    select p.*, row_number() over (partition by p.drama_id order by p.job_id, p.n) as place
    from app.read_output_parts(
      apply_outlines.job_ids, 'write_outline', 'episodes', v_max_episodes
    ) as p
  ) as p
  -- Only as many as save_drama_complete accepts.
  where p.place + (
    select count(*) from public.episodes as e where e.drama_id = p.drama_id
  ) <= v_max_episodes
  on conflict on constraint episodes_pkey do nothing;

  with outlined as (
    update public.dramas as d
    set
      -- A title that a person has set stays.
      title = coalesce(nullif(d.title, ''), app.parse_text(j.output -> 'title', v_short)),
      logline = coalesce(nullif(d.logline, ''), app.parse_text(j.output -> 'logline', v_medium)),
      genre = coalesce(nullif(d.genre, ''), app.parse_text(j.output -> 'genre', v_label))
    from public.jobs as j
    join app.drama_runs as r on r.run_id = j.root_id
    where j.id = any (apply_outlines.job_ids)
      and j.type = 'write_outline'
      and jsonb_typeof(j.output -> 'title') = 'string'
      and d.id = r.drama_id
    returning j.id
  )
  select coalesce(array_agg(o.id), '{}') into v_ids
  from outlined as o;

  return v_ids;
end
$$;

comment on function app.apply_outlines(bigint[]) is
  'Stores the outlines of these steps in their dramas; returns the steps whose outline was stored.';
