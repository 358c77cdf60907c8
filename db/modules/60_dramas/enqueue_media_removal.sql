-- app.enqueue_media_removal
--
-- Called by   the deletion of dramas; schedule remove-deleted-media
-- Writes      the queue: at most one job at a time, and none if nothing is due
-- Locks       an advisory lock, without waiting: if another transaction is enqueueing the job, this
--             one skips, because deletions must not wait for each other. The schedule finds the
--             records that the job of the other transaction does not see
create or replace function app.enqueue_media_removal()
  returns integer
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  if exists (select from app.deleted_media as m where m.remove_at <= app.now())
    and pg_try_advisory_xact_lock(hashtextextended('remove_deleted_media', 0))
  then
    perform app.enqueue(
      'remove_deleted_media', '{"mode": "deleted_dramas"}', 'remove_deleted_media deleted_dramas'
    );
  end if;

  return 0;
end
$$;

comment on function app.enqueue_media_removal() is
  'Enqueues the worker task that deletes the images and videos of deleted dramas. Returns 0.';
