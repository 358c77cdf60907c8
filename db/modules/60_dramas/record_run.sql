-- app.tg_dramas__record_run
--
-- Writes      drama_runs
create or replace function app.tg_dramas__record_run()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
begin
  insert into app.drama_runs (run_id, drama_id)
  values (new.run_id, new.id);
  return null;
end
$$;

comment on function app.tg_dramas__record_run() is 'Permits the run of a new drama to write to it.';
