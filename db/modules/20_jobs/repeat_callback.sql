-- app.repeat_callback
--
-- Writes      callback_faults; the rows that the callback writes
-- Locks       the caller holds the run, if the run still exists; then the fault
-- Why         counts a deadlock or a timeout as a failed attempt, unlike app.call_callback, so that
--             one stored call cannot undo the whole batch of app.repeat_callbacks
create or replace function app.repeat_callback(run_id bigint, callback text)
  returns boolean
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_state text;
  v_error text;
begin
  perform app.call_callback(repeat_callback.callback, array[repeat_callback.run_id]);
  delete from app.callback_faults as f
  where f.run_id = repeat_callback.run_id and f.callback = repeat_callback.callback;

  return true;
exception
  when sqlstate 'JC001' or transaction_rollback or lock_not_available or query_canceled then
    get stacked diagnostics v_state = returned_sqlstate, v_error = message_text;
    update app.callback_faults as f
    set
      attempts = f.attempts + 1,
      -- 2, 4, 8 … minutes, at most 6 hours.
      next_at = app.now()
        + least(interval '1 minute' * 2 ^ least(f.attempts, 20), interval '6 hours'),
      error = case
        when v_state = 'JC001' then v_error
        else format('%s raised %s: %s', repeat_callback.callback, v_state, v_error)
      end
    where f.run_id = repeat_callback.run_id and f.callback = repeat_callback.callback;

    return false;
end
$$;

comment on function app.repeat_callback(bigint, text) is
$$Repeats a stored on_run_ended call. Returns whether it succeeded.

Deletes the fault after a success; sets the time of the next attempt after a failure.$$;
