-- worker.list_removable_media
--
-- Called by   worker task remove_deleted_media, for each page of a listing
-- Why         a drama may have been saved again with the same id. Then only objects of the deleted
--             drama may be deleted: those that were stored before the deletion, and that no step of
--             the new drama has made
create or replace function worker.list_removable_media(
  drama_id uuid,
  claim_id uuid,
  objects jsonb
)
  returns table (object_key text)
  language sql
  stable
  security definer
  set search_path = ''
begin atomic
  select o.key
  from app.deleted_media as m
  cross join lateral jsonb_to_recordset(list_removable_media.objects) as o (
    key text, modified_at timestamptz
  )
  where m.drama_id = list_removable_media.drama_id
    and m.claim_id = list_removable_media.claim_id
    and starts_with(o.key, 'drama-assets/' || m.drama_id || '/')
    and (
      not exists (select from public.dramas as d where d.id = m.drama_id)
      or (
        o.modified_at < m.deleted_at
        and not exists (
          select
          from app.drama_media as k
          where k.drama_id = m.drama_id
            and k.name = substr(o.key, length('drama-assets/' || m.drama_id || '/') + 1)
        )
      )
    );
end;

comment on function worker.list_removable_media(uuid, uuid, jsonb) is
$$Returns the keys of objects that a claim of claim_deleted_media may delete.

objects: [{ key, modified_at }], as the store lists them. Returns nothing if another worker has
claimed the drama since.$$;

grant execute on function worker.list_removable_media(uuid, uuid, jsonb) to worker;
