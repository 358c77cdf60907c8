-- app.enqueue_media_audit
--
-- Called by   schedule find-unknown-media
-- Writes      the queue
-- Idempotent  one job, however often it is enqueued
create or replace function app.enqueue_media_audit()
  returns integer
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  perform app.enqueue(
    'remove_deleted_media',
    '{"mode": "unknown_objects", "limit": 1000}',
    'remove_deleted_media unknown_objects'
  );

  return 0;
end
$$;

comment on function app.enqueue_media_audit() is
$$Enqueues a worker task that searches the store for images and videos that no drama has.

The task logs up to 1,000 such objects and deletes none. Returns 0.$$;
