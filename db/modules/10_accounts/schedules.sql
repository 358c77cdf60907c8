-- An operator may change the cron expression, so a later run only updates the function.
insert into app.schedules (name, cron, function)
values
  ('publish-api-key-uses', '* * * * *', 'app.publish_api_key_uses'),
  ('create-missing-profiles', '* * * * *', 'app.create_missing_profiles'),
  ('delete-old-notifications', '30 3 * * *', 'app.delete_old_notifications')
on conflict on constraint schedules_pkey do update set function = excluded.function;
