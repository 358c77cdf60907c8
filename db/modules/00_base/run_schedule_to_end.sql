-- app.run_schedule_to_end
--
-- Called by   pg_cron
-- Why         A procedure that commits can have neither `set` nor `security definer`. Only postgres
--             may call it.
create or replace procedure app.run_schedule_to_end(name text)
  language plpgsql
as $$
begin
  while app.run_schedule(run_schedule_to_end.name) > 0 loop
    commit;
  end loop;
end
$$;

comment on procedure app.run_schedule_to_end(text) is
  'Runs a schedule batch by batch, and commits after each batch.';
