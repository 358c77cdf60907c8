-- app.enqueue_file_removal
--
-- Called by   schedule remove-deleted-files
-- Writes      the queue: at most one job at a time, and none if nothing is due
create or replace function app.enqueue_file_removal()
  returns integer
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  if exists (select from app.deleted_folders as d where d.delete_at <= app.now())
    or exists (select from app.generation_files as f where f.delete_at <= app.now())
  then
    perform app.enqueue('remove_deleted_files', '{}', 'remove_deleted_files');
  end if;

  return 0;
end
$$;

comment on function app.enqueue_file_removal() is
$$Enqueues the worker task that deletes the folders of deleted users, and the images of deleted
generations and of lost attempts. Returns 0.$$;
