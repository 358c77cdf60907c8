-- A conflict updates only the function, because an operator may have changed the cron expression.
insert into app.schedules (name, cron, function)
values
  ('delete-finished-runs', '20 3 * * *', 'app.delete_finished_runs'),
  ('repeat-callbacks', '* * * * *', 'app.repeat_callbacks')
on conflict on constraint schedules_pkey do update set function = excluded.function;
