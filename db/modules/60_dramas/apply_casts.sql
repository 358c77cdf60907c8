-- app.apply_casts
--
-- Writes      drama_characters
-- Locks       the caller holds the dramas' locks
create or replace function app.apply_casts(job_ids bigint[])
  returns bigint[]
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  insert into public.drama_characters (
    id, drama_id, owner_id, position, name, role, description, appearance, portrait_job_id
  )
  select
    p.id,
    p.drama_id,
    p.owner_id,
    coalesce((select max(c.position) from public.drama_characters as c where c.drama_id = p.drama_id), 0) + p.place,
    app.read_text(p.part -> 'name', 500),
    app.read_text(p.part -> 'role', 500),
    app.read_text(p.part -> 'description', 10000),
    app.read_text(p.part -> 'appearance', 10000),
    (
      select min(c.id)
      from public.jobs as c
      where c.parent_id = p.job_id and c.type = 'generate_image' and app.read_uuid(c.input -> 'target_id') = p.id
    )
  from (
    select p.*, row_number() over (partition by p.drama_id order by p.job_id, p.n) as place
    from app.read_output_parts(apply_casts.job_ids, 'write_cast', 'characters') as p
  ) as p
  -- No more than can be saved.
  where p.place + (select count(*) from public.drama_characters as c where c.drama_id = p.drama_id) <= 200
  on conflict on constraint drama_characters_pkey do nothing;

  return array(
    select distinct p.job_id
    from app.read_output_parts(apply_casts.job_ids, 'write_cast', 'characters') as p
    join public.drama_characters as c on c.id = p.id and c.drama_id = p.drama_id
  );
end
$$;

comment on function app.apply_casts(bigint[]) is 'Puts characters into their dramas; returns the steps whose characters were taken.';
