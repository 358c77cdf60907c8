-- app.require_drama_fits
--
-- Errors      PT413 drama_too_large, PT422 drama_invalid
create or replace function app.require_drama_fits(drama json)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_fault text;
  v_characters jsonb;
begin
  -- A little more than a drama may have: as it is sent, it may be written with more room.
  if octet_length(require_drama_fits.drama::text) > 4718592 then
    perform app.fail(413, 'drama_too_large', 'A drama may have 4 MiB at most.', 'Keep large texts elsewhere, and their URLs here.');
  end if;

  if (
    select count(*)
    from app.list_drama_parts(require_drama_fits.drama) as p
    where p.kind = 'scene'
  ) > 2000 then
    v_fault := 'it has more than 2000 scenes';
  else
    v_fault := app.find_drama_fault(require_drama_fits.drama);
  end if;
  if v_fault is null then
    v_fault := (
      select format('the id %s stands there twice', min(p.part ->> 'id'))
      from app.list_drama_parts(require_drama_fits.drama) as p
      where p.part ->> 'id' is not null
      group by p.kind, lower(p.part ->> 'id')
      having count(*) > 1
      limit 1
    );
  end if;
  if v_fault is null then
    -- As keys of one object: a hundred thousand ids are looked up in it.
    v_characters := (
      select coalesce(jsonb_object_agg(lower(p.part ->> 'id'), true), '{}')
      from app.list_drama_parts(require_drama_fits.drama) as p
      where p.kind = 'character' and p.part ->> 'id' is not null
    );
    v_fault := (
      select format('%s: "character_ids" names %s, which is none of the characters', p.path, left(i.id, 36))
      from app.list_drama_parts(require_drama_fits.drama) as p
      cross join lateral json_array_elements_text(coalesce(p.part -> 'character_ids', '[]')) as i (id)
      where p.kind = 'scene' and not v_characters ? lower(i.id)
      limit 1
    );
  end if;
  if v_fault is not null then
    perform app.fail(
      422,
      'drama_invalid',
      format('This is no drama: %s.', v_fault),
      'docs/drama.schema.json says what a drama is.'
    );
  end if;
end
$$;

comment on function app.require_drama_fits(json) is 'Refuses what is no drama, naming the field.';
