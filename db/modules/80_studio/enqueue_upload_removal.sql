-- app.enqueue_upload_removal
--
-- Called by   schedule remove-old-uploads
-- Writes      the queue
-- Idempotent  one job, however often it is enqueued
create or replace function app.enqueue_upload_removal()
  returns integer
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  perform app.enqueue('remove_old_uploads', '{}', 'remove_old_uploads');

  return 0;
end
$$;

comment on function app.enqueue_upload_removal() is
$$Enqueues the worker task that deletes photos that users uploaded longer ago than
app.settings.upload_retention. Returns 0.$$;
