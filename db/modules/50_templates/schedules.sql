-- Operators may change the cron expression: only the function is overwritten.
insert into app.schedules (name, cron, function)
values ('sweep-template-uploads', '25 * * * *', 'app.enqueue_template_sweep')
on conflict on constraint schedules_pkey do update set function = excluded.function;
