-- worker.list_schedules
--
-- Called by   the worker, when it starts and every minute
-- Writes      graphile_worker._private_known_crontabs
-- Why         graphile-worker runs a schedule only if the stored time of its last run is earlier by
--             the clock of the worker. After a run on a worker whose clock is hours ahead, or
--             before a run on a worker whose clock is hours behind, the schedule would pause for
--             hours. So the time is kept only for the minutes in which other workers try the same
--             run.
create or replace function worker.list_schedules()
  returns table (name text, cron text)
  language sql
  volatile
  security definer
  set search_path = ''
begin atomic
  update graphile_worker._private_known_crontabs as k
  set last_execution = null
  where k.last_execution
    not between app.now() - interval '2 minutes' and app.now() + interval '1 minute';

  select s.name, s.cron
  from app.schedules as s
  where not exists (select from pg_catalog.pg_extension as e where e.extname = 'pg_cron')
  order by s.name;
end;

comment on function worker.list_schedules() is
  'Lists the schedules that the worker runs: all of app.schedules, or none where pg_cron runs '
  'them. Forgets the last run of a schedule after two minutes, or if it is in the future.';

grant execute on function worker.list_schedules() to worker;
