-- app.tg_runs__end_run
--
-- Writes      the rows that on_run_ended writes
-- Why         deleting an open run ends the run. Fires before the row is deleted, because the
--             callback may need rows that are deleted with the run
create or replace function app.tg_runs__end_run()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  perform app.run_callbacks('{}', '{}', array[old.id]);

  return old;
end
$$;

comment on function app.tg_runs__end_run() is 'Calls on_run_ended for an open run that is deleted.';
