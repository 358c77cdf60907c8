-- app.tg_schedules__register
--
-- Writes      cron.job, through app.register_schedules
create or replace function app.tg_schedules__register()
  returns trigger
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  perform app.register_schedules();
  return null;
end
$$;

comment on function app.tg_schedules__register() is
  'Registers the schedules in pg_cron again after app.schedules has changed.';
