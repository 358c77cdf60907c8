-- app.run_schedule, worker.run_schedule
--
-- Called by   worker task run_schedule, one transaction per batch
-- Errors      PT404 schedule_not_found
-- Why         Each batch is a transaction of its own: locks are short, and a crash loses one batch.
--             The name of the function comes from app.schedules, which only postgres can write.
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
    perform app.fail(
      404,
      'schedule_not_found',
      format('Unknown schedule "%s".', run_schedule.name),
      'Use a name from app.schedules.'
    );
  end if;

  execute format('select %s()', v_function) into v_handled;

  return coalesce(v_handled, 0);
end
$$;

comment on function app.run_schedule(text) is
  'Runs one batch of a schedule and returns how many rows it handled; 0 when nothing is left to '
  'do.';

create or replace function worker.run_schedule(name text)
  returns integer
  language sql
  volatile
  security definer
  set search_path = ''
return app.run_schedule(name);

comment on function worker.run_schedule(text) is
  'Runs one batch of a schedule and returns how many rows it handled; 0 when nothing is left to '
  'do.';

grant execute on function worker.run_schedule(text) to worker;
