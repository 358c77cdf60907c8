-- app.save_drama_characters
--
-- Writes      drama_characters
-- Errors      PT404 drama_not_found: an id belongs to another drama
-- Locks       the caller has locked the drama
create or replace function app.save_drama_characters(drama_id uuid, owner_id uuid, characters json)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_ids uuid[];
begin
  v_ids := array(
    select coalesce(n.id, gen_random_uuid())
    from rows from (
      json_to_recordset(save_drama_characters.characters) as (id uuid)
    ) with ordinality as n (id, position)
    order by n.position
  );

  delete from public.drama_characters as c
  where c.drama_id = save_drama_characters.drama_id and c.id <> all (v_ids);

  insert into public.drama_characters as c (
    id, drama_id, owner_id, position, name, role, description, appearance, portrait_url, extra
  )
  select
    v_ids[n.position],
    save_drama_characters.drama_id,
    save_drama_characters.owner_id,
    n.position,
    coalesce(n.name, ''),
    coalesce(n.role, ''),
    coalesce(n.description, ''),
    coalesce(n.appearance, ''),
    n.portrait_url,
    coalesce(n.extra, '{}')
  from rows from (
    json_to_recordset(save_drama_characters.characters) as (
      name text, role text, description text, appearance text, portrait_url text, extra json
    )
  ) with ordinality as n (name, role, description, appearance, portrait_url, extra, position)
  on conflict on constraint drama_characters_pkey do update
    set
      position = excluded.position,
      name = excluded.name,
      role = excluded.role,
      description = excluded.description,
      appearance = excluded.appearance,
      portrait_url = excluded.portrait_url,
      -- A running job does not replace a URL that a person has set.
      portrait_job_id = case
        when c.portrait_url is not distinct from excluded.portrait_url then c.portrait_job_id
      end,
      extra = excluded.extra
    where c.drama_id = excluded.drama_id
      and (
        c.position, c.name, c.role, c.description, c.appearance, c.portrait_url, c.extra::text
      ) is distinct from (
        excluded.position, excluded.name, excluded.role, excluded.description,
        excluded.appearance, excluded.portrait_url, excluded.extra::text
      );

  if (
    select count(*)
    from public.drama_characters as c
    where c.drama_id = save_drama_characters.drama_id
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

comment on function app.save_drama_characters(uuid, uuid, json) is
  'Makes the characters of a drama equal to those of a document.';
