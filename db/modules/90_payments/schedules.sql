-- Operators may change the cron expression: only the function is overwritten.
insert into app.schedules (name, cron, function)
values
  ('inquire-orders', '* * * * *', 'app.inquire_orders'),
  ('return-lapsed-plans', '*/5 * * * *', 'app.return_lapsed_plans'),
  ('announce-plan-ends', '10 * * * *', 'app.announce_plan_ends')
on conflict on constraint schedules_pkey do update set function = excluded.function;
