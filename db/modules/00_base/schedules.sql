-- An operator may change the cron expression, so a later run only updates the function.
insert into app.schedules (name, cron, function)
values ('delete-spent-rates', '15 4 * * *', 'app.delete_spent_rates')
on conflict on constraint schedules_pkey do update set function = excluded.function;
