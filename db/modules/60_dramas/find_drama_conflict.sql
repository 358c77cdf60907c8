-- app.find_drama_conflict
create or replace function app.find_drama_conflict(drama json)
  returns text
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_max_scenes constant integer := app.get_domain_limit('app.scene_total');
begin
  return (
    with parts as materialized (
      select p.path, p.kind, p.part ->> 'id' as id, p.part -> 'character_ids' as character_ids
      from app.list_drama_parts(find_drama_conflict.drama) as p
    ),
    repeated as (
      select min(p.id) as id
      from parts as p
      where p.id is not null
      group by p.kind, lower(p.id)
      having count(*) > 1
      limit 1
    ),
    strange as (
      select p.path, i.id
      from parts as p
      cross join lateral json_array_elements_text(p.character_ids) as i (id)
      where p.kind = 'scene'
        -- Not in: one hash table for a hundred thousand look-ups. No id in it is null.
        and lower(i.id) not in (
          select lower(c.id) from parts as c where c.kind = 'character' and c.id is not null
        )
      limit 1
    )
    select coalesce(
      (
        select format('more than %s scenes', v_max_scenes)
        from parts as p
        where p.kind = 'scene'
        having count(*) > v_max_scenes
      ),
      (select format('the id %s occurs twice', r.id) from repeated as r),
      (
        select format(
          '%s"character_ids" has %s, which is not the id of a character of this drama',
          s.path,
          s.id
        )
        from strange as s
      )
    )
  );
end
$$;

comment on function app.find_drama_conflict(json) is
$$Returns what is wrong with a drama as a whole, as half a sentence.

Checks for a repeated id, an unknown character and too many scenes.

drama: a document without a fault in a field (app.find_drama_fault). Null: nothing is wrong.$$;
