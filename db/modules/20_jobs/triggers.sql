create or replace trigger _100_delete_steps
  after delete on app.runs
  referencing old table as old_runs
  for each statement
  execute function app.tg_runs__delete_steps();

create or replace trigger _100_delete_runs
  after delete on public.users
  referencing old table as old_users
  for each statement
  execute function app.tg_users__delete_runs();
