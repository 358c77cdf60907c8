-- Operators may change the cron expression: only the function is overwritten.
insert into app.schedules (name, cron, function)
values
  ('grant-due-periods', '* * * * *', 'app.grant_due_periods'),
  ('expire-credits', '* * * * *', 'app.expire_credits'),
  ('cancel-overdue-holds', '*/5 * * * *', 'app.cancel_overdue_holds'),
  ('check-credits', '20 3 * * *', 'app.check_credits'),
  ('delete-ended-holds', '50 3 * * *', 'app.delete_ended_holds')
on conflict on constraint schedules_pkey do update set function = excluded.function;
