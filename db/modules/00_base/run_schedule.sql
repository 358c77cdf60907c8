-- app.run_schedule, worker.run_schedule, app.run_schedule_to_end
--
-- Called by   worker task run_schedule, one transaction a batch; pg_cron, through the procedure
-- Errors      PT404 schedule_not_found
-- Why         a batch is a transaction of its own: locks are short and a crash loses one batch. The name of the
--             function to run comes from app.schedules, which only postgres can write.
create or replace function app.run_schedule(name text)
  returns integer
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_function regproc;
  v_handled integer;
begin
  select s.function::regproc into v_function
  from app.schedules as s
  where s.name = run_schedule.name;
  if not found then
    perform app.fail(404, 'schedule_not_found', format('There is no schedule "%s".', run_schedule.name));
  end if;

  execute format('select %s()', v_function) into v_handled;

  return coalesce(v_handled, 0);
end
$$;

comment on function app.run_schedule(text) is
  'Runs one batch of a schedule and returns how many rows it handled; 0: nothing is left to do.';

create or replace function worker.run_schedule(name text)
  returns integer
  language sql
  volatile
  security definer
  set search_path = ''
return app.run_schedule(name);

comment on function worker.run_schedule(text) is
  'Runs one batch of a schedule and returns how many rows it handled; 0: nothing is left to do.';

-- A procedure that commits can have neither `set` nor `security definer`; only postgres may call it.
create or replace procedure app.run_schedule_to_end(name text)
  language plpgsql
as $$
begin
  while app.run_schedule(run_schedule_to_end.name) > 0 loop
    commit;
  end loop;
end
$$;

comment on procedure app.run_schedule_to_end(text) is 'Runs a schedule batch by batch, committing each. What pg_cron calls.';

grant execute on function worker.run_schedule(text) to worker;
