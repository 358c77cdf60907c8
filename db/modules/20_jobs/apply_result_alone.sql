-- app.apply_result_alone
--
-- Writes      the rows that app.apply_locked_results writes
-- Locks       the caller holds the run; then the rows that app.apply_locked_results locks, for as
--             long as lock_timeout allows
create or replace function app.apply_result_alone(result jsonb)
  returns jsonb
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_batch jsonb := jsonb_build_array(apply_result_alone.result);
  v_error text;
begin
  begin
    return app.apply_locked_results(v_batch, app.lock_runs_of(v_batch));
  exception
    when sqlstate 'JC001' then
      get stacked diagnostics v_error = message_text;
      -- Only to the log, because the text may name data that the owner of the step must not see.
      raise log 'Callback failed for step %: %', apply_result_alone.result ->> 'id', v_error;
      v_batch := jsonb_build_array(
        jsonb_build_object(
          'id', apply_result_alone.result -> 'id',
          'fence', apply_result_alone.result -> 'fence',
          'outcome', 'failed',
          'is_permanent', true,
          'error', jsonb_build_object(
            'slug', 'callback_failed',
            'message',
            'The result of the step could not be stored because of an internal error. Retry the '
            'run; if the step fails again, tell the operator.'
          )
        )
      );

      return app.apply_locked_results(v_batch, app.lock_runs_of(v_batch));
  end;
exception
  when lock_not_available then
    return jsonb_build_array(
      jsonb_build_object(
        'index', 0, 'id', apply_result_alone.result -> 'id', 'reason', 'run_busy'
      )
    );
end
$$;

comment on function app.apply_result_alone(jsonb) is
$$Applies one result. If the callback of the step raises, the step fails with callback_failed. If
another transaction has locked a row of the result, refuses the result with run_busy.

Returns the refused results, as app.apply_free_results does.$$;
