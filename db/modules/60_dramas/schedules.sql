-- Operators may change the cron expression: only the function is overwritten.
insert into app.schedules (name, cron, function)
values
  ('remove-deleted-media', '*/5 * * * *', 'app.enqueue_media_removal'),
  ('find-unknown-media', '50 3 * * *', 'app.enqueue_media_audit'),
  ('delete-spent-media-days', '25 4 * * *', 'app.delete_spent_media_days')
on conflict on constraint schedules_pkey do update set function = excluded.function;
