create or replace trigger _100_delete_steps
  after delete on app.runs
  referencing old table as old_runs
  for each statement
  execute function app.tg_runs__delete_steps();
