-- worker.claim_deleted_media
--
-- Called by   worker task remove_deleted_media
-- Writes      deleted_media
-- Locks       rows of deleted_media, with skip locked
-- Why         a claim is a lease: it plans the next attempt itself, so that a worker that dies, or
--             a store that is down, needs no other call. The pauses grow to 6 hours
create or replace function worker.claim_deleted_media("limit" integer)
  returns table (drama_id uuid, claim_id uuid, prefix text)
  language sql
  volatile
  security definer
  set search_path = ''
begin atomic
  with due as (
    select m.drama_id
    from app.deleted_media as m
    where m.remove_at <= app.now()
    order by m.remove_at
    limit claim_deleted_media."limit"
    for update skip locked
  )
  update app.deleted_media as m
  set
    claim_id = gen_random_uuid(),
    attempts = m.attempts + 1,
    remove_at = app.now()
      + least(interval '10 minutes' * 2 ^ least(m.attempts, 10), interval '6 hours')
  from due
  where m.drama_id = due.drama_id
  returning m.drama_id, m.claim_id, 'drama-assets/' || m.drama_id || '/';
end;

comment on function worker.claim_deleted_media(integer) is
$$Claims deleted dramas whose objects are due for removal, for 10 minutes or longer.

prefix: where the objects of the drama are. List it, ask list_removable_media which objects may be
deleted, delete these, then call confirm_media_removal.$$;

grant execute on function worker.claim_deleted_media(integer) to worker;
