create or replace trigger _050_end_run
  before delete on app.runs
  for each row
  when (old.finished_at is null)
  execute function app.tg_runs__end_run();

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

create or replace trigger _100_wake_paid_lanes
  after update on app.settings
  for each row
  when (old.buying_is_stopped and not new.buying_is_stopped)
  execute function app.tg_settings__wake_paid_lanes();

-- Runs that the last release submitted have no row in public.runs: app.publish_runs inserts them.
insert into app.run_changes (run_id)
select r.id
from app.runs as r
where not exists (select from public.runs as p where p.job_id = r.id);
