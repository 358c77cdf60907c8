-- Operators may change the cron expression: only the function is overwritten.
insert into app.schedules (name, cron, function)
values
  ('admit-pending-tasks', '*/5 * * * *', 'app.admit_pending_tasks'),
  ('delete-finished-tasks', '40 3 * * *', 'app.delete_finished_tasks')
on conflict on constraint schedules_pkey do update set function = excluded.function;
