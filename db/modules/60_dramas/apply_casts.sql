-- app.apply_casts
--
-- Writes      drama_characters
-- Locks       the caller has locked the dramas
create or replace function app.apply_casts(job_ids bigint[])
  returns bigint[]
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_short constant integer := app.get_domain_limit('app.short_text');
  v_long constant integer := app.get_domain_limit('app.long_text');
  v_max_characters constant integer := app.get_domain_limit('app.character_list');
begin
  insert into public.drama_characters (
    id, drama_id, owner_id, position, name, role, description, appearance, portrait_job_id
  )
  select
    p.id,
    p.drama_id,
    p.owner_id,
    p.place + coalesce(
      (select max(c.position) from public.drama_characters as c where c.drama_id = p.drama_id), 0
    ),
    app.parse_text(p.part -> 'name', v_short),
    app.parse_text(p.part -> 'role', v_short),
    app.parse_text(p.part -> 'description', v_long),
    app.parse_text(p.part -> 'appearance', v_long),
    (
      select min(c.id)
      from public.jobs as c
      where c.parent_id = p.job_id
        and c.type = 'generate_image'
        and app.parse_uuid(c.input -> 'target_id') = p.id
    )
  from (
    select p.*, row_number() over (partition by p.drama_id order by p.job_id, p.n) as place
    from app.read_output_parts(
      apply_casts.job_ids, 'write_cast', 'characters', v_max_characters
    ) as p
  ) as p
  -- Only as many as save_drama_complete accepts.
  where p.place + (
    select count(*) from public.drama_characters as c where c.drama_id = p.drama_id
  ) <= v_max_characters
  on conflict on constraint drama_characters_pkey do nothing;

  return array(
    select distinct p.job_id
    from app.read_output_parts(
      apply_casts.job_ids, 'write_cast', 'characters', v_max_characters
    ) as p
    join public.drama_characters as c on c.id = p.id and c.drama_id = p.drama_id
  );
end
$$;

comment on function app.apply_casts(bigint[]) is
$$Stores the characters of these steps in their dramas.

Returns the steps whose characters were stored.$$;
