-- app.apply_results
--
-- Writes      the rows that app.apply_locked_results writes
-- Errors      55P03, if app.apply_free_results refuses a result with run_busy. The worker then
--             repeats its call
-- Locks       the rows that app.apply_free_results locks, and waits for them without a limit
create or replace function app.apply_results(results jsonb)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_refused jsonb := app.apply_free_results(apply_results.results, null);
begin
  if v_refused @> '[{"reason": "run_busy"}]' then
    raise exception using
      errcode = 'lock_not_available',
      message = 'Another transaction has locked rows of these results.',
      hint = 'Repeat the call.';
  end if;

  return v_refused;
end
$$;

comment on function app.apply_results(jsonb) is
$$Applies the results of running steps for workers of the last release, which do not know the reason
run_busy; see app.apply_free_results.$$;
