-- An operator's cron expression stays; an upgrade changes only the function.
insert into app.schedules (name, cron, function)
values
  ('delete-expired-shares', '0 * * * *', 'app.delete_expired_shares'),
  ('delete-unshared-resources', '30 * * * *', 'app.delete_unshared_resources')
on conflict on constraint schedules_pkey do update set function = excluded.function;
