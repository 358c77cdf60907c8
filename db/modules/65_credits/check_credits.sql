-- app.check_credits
--
-- Called by   schedule check-credits
-- Why         returns 0, because a schedule runs again until it returns 0
create or replace function app.check_credits()
  returns integer
  language plpgsql
  stable
  set search_path = ''
  -- The groups of all users and grants fit, so Postgres writes no temporary files.
  set work_mem = '128MB'
  set jit = off
  -- The result is empty, so a plan for its first rows would read all rows one by one.
  set cursor_tuple_fraction = 1
as $$
declare
  v_fault record;
  v_faults integer := 0;
begin
  for v_fault in
    select f.*
    from ops.credit_faults as f
  loop
    v_faults := v_faults + 1;
    exit when v_faults > 100;
    raise warning 'Credits do not add up: % of user %, grant %, hold %: expected %, found %',
      v_fault.fault, v_fault.user_id, v_fault.grant_id, v_fault.hold_id, v_fault.expected,
      v_fault.found;
  end loop;

  return 0;
end
$$;

comment on function app.check_credits() is
  'Logs up to 100 rows of ops.credit_faults as warnings.';
