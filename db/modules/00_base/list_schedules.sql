-- worker.list_schedules
--
-- Called by   the worker, at its start and every minute
create or replace function worker.list_schedules()
  returns table (name text, cron text)
  language sql
  stable
  security definer
  set search_path = ''
begin atomic
  select s.name, s.cron
  from app.schedules as s
  where not exists (select from pg_catalog.pg_extension as e where e.extname = 'pg_cron')
  order by s.name;
end;

comment on function worker.list_schedules() is
  'What the worker has to run by the clock: all of app.schedules, or nothing where pg_cron does it.';

grant execute on function worker.list_schedules() to worker;
