-- worker.confirm_media_removal
--
-- Called by   worker task remove_deleted_media, when the store has no removable object
-- Writes      deleted_media
-- Idempotent  a claim that another worker has replaced changes nothing
-- Why         a step that was running at the deletion may store its file after the first removal.
--             So the objects are removed once more, when no such step can run any longer
create or replace function worker.confirm_media_removal(drama_id uuid, claim_id uuid)
  returns boolean
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_row app.deleted_media;
  v_last_at timestamptz;
begin
  select m.* into v_row
  from app.deleted_media as m
  where m.drama_id = confirm_media_removal.drama_id
    and m.claim_id = confirm_media_removal.claim_id
  for update;
  if not found then
    return false;
  end if;

  v_last_at := v_row.deleted_at + greatest(
    interval '1 hour',
    interval '15 minutes' + (
      select max(t.timeout)
      from public.job_types as t
      where t.name in ('generate_image', 'generate_video')
    )
  );
  if app.now() >= v_last_at then
    delete from app.deleted_media as m where m.drama_id = v_row.drama_id;
  else
    update app.deleted_media as m
    set remove_at = v_last_at, attempts = 0, claim_id = null
    where m.drama_id = v_row.drama_id;
  end if;

  return true;
end
$$;

comment on function worker.confirm_media_removal(uuid, uuid) is
$$Records that the objects of a deleted drama are gone.

In the first hour after the deletion (longer if a step may run longer), a confirmation plans a
second removal. A later confirmation deletes the record. Returns false if another worker has claimed
the drama since.$$;

grant execute on function worker.confirm_media_removal(uuid, uuid) to worker;
