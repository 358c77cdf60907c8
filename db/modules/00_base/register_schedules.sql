-- app.register_schedules
--
-- Called by   npm run db:migrate, for a pg_cron that was installed later
-- Writes      cron.job, through pg_cron's own functions; nothing where pg_cron is absent
create or replace function app.register_schedules()
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  if not exists (select from pg_catalog.pg_extension as e where e.extname = 'pg_cron') then
    return;
  end if;

  -- Only removes jobs that this function registered.
  perform cron.unschedule(j.jobid)
  from cron.job as j
  where j.command like 'call app.run_schedule_to_end(%'
    and j.database = current_database()
    and not exists (select from app.schedules as s where s.name = j.jobname);

  perform cron.schedule(s.name, s.cron, format('call app.run_schedule_to_end(%L)', s.name))
  from app.schedules as s;
end
$$;

comment on function app.register_schedules() is
  'Makes the jobs of pg_cron equal to app.schedules; does nothing where pg_cron is absent.';
