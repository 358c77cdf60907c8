-- The parts of export_my_data from this module.
select
  app.register_export('tasks', 'app.export_tasks'),
  app.register_export('task_days', 'app.export_task_days');
