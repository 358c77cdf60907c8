-- app.repeat_callback
--
-- Writes      callback_faults; what the callback writes
-- Locks       the caller holds the run, where it still exists; then the fault
create or replace function app.repeat_callback(run_id bigint, callback text)
  returns boolean
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_error text;
begin
  perform app.call_callback(repeat_callback.callback, array[repeat_callback.run_id]);
  delete from app.callback_faults as f
  where f.run_id = repeat_callback.run_id and f.callback = repeat_callback.callback;

  return true;
exception
  when sqlstate 'JC001' then
    get stacked diagnostics v_error = message_text;
    update app.callback_faults as f
    set
      attempts = f.attempts + 1,
      -- 2, 4, 8 … minutes, then every 6 hours.
      next_at = app.now() + least(interval '1 minute' * 2 ^ least(f.attempts, 20), interval '6 hours'),
      error = v_error
    where f.run_id = repeat_callback.run_id and f.callback = repeat_callback.callback;

    return false;
end
$$;

comment on function app.repeat_callback(bigint, text) is
  'Repeats a stored on_run_ended call; returns whether it succeeded. A failure moves next_at.';
