-- An operator's cron expression stays; an upgrade changes only the function.
insert into app.schedules (name, cron, function)
values
  ('clean-orphaned-assets', '15 * * * *', 'app.enqueue_asset_cleaning'),
  ('find-unknown-objects', '45 3 * * *', 'app.enqueue_asset_audit')
on conflict on constraint schedules_pkey do update set function = excluded.function;
