-- Operators may change the cron expression: only the function is overwritten.
insert into app.schedules (name, cron, function)
values
  ('cleanup-cache', '0 3 * * *', 'app.delete_expired_entries'),
  ('delete-generation-keys', '10 3 * * *', 'app.delete_generation_keys'),
  ('remove-deleted-files', '*/5 * * * *', 'app.enqueue_file_removal'),
  ('remove-old-uploads', '40 3 * * *', 'app.enqueue_upload_removal')
on conflict on constraint schedules_pkey do update set function = excluded.function;
