create or replace trigger _100_register
  after insert or update or delete on app.schedules
  for each statement
  execute function app.tg_schedules__register();
