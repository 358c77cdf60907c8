-- app.apply_outlines
--
-- Writes      dramas, episodes
-- Locks       the caller holds the dramas' locks
create or replace function app.apply_outlines(job_ids bigint[])
  returns bigint[]
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_ids bigint[];
begin
  insert into public.episodes (id, drama_id, owner_id, position, title, summary)
  select
    p.id,
    p.drama_id,
    p.owner_id,
    coalesce((select max(e.position) from public.episodes as e where e.drama_id = p.drama_id), 0) + p.place,
    app.read_text(p.part -> 'title', 500),
    app.read_text(p.part -> 'summary', 10000)
  from (
    select p.*, row_number() over (partition by p.drama_id order by p.job_id, p.n) as place
    from app.read_output_parts(apply_outlines.job_ids, 'write_outline', 'episodes') as p
  ) as p
  -- No more than can be saved.
  where p.place + (select count(*) from public.episodes as e where e.drama_id = p.drama_id) <= 500
  on conflict on constraint episodes_pkey do nothing;

  with outlined as (
    update public.dramas as d
    set
      -- A title that somebody has given stays.
      title = coalesce(nullif(d.title, ''), app.read_text(j.output -> 'title', 500)),
      logline = coalesce(nullif(d.logline, ''), app.read_text(j.output -> 'logline', 2000)),
      genre = coalesce(nullif(d.genre, ''), app.read_text(j.output -> 'genre', 200))
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

comment on function app.apply_outlines(bigint[]) is 'Puts outlines into their dramas; returns the steps whose outlines were taken.';
