-- worker.list_schedules
--
-- Called by   the worker, when it starts and every minute
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
  'Lists the schedules that the worker runs: all of app.schedules, or none where pg_cron runs '
  'them.';

grant execute on function worker.list_schedules() to worker;
