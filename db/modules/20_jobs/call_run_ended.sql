-- app.call_run_ended
--
-- Writes      callback_faults; the rows that the callback writes
-- Locks       the rows that the callback locks
-- Why         a run that ended stays ended, even if its callback raises. The call is then stored,
--             and app.repeat_callbacks repeats it
create or replace function app.call_run_ended(callback text, run_ids bigint[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_run_id bigint;
  v_error text;
begin
  begin
    perform app.call_callback(call_run_ended.callback, call_run_ended.run_ids);
    return;
  exception
    -- The loop below calls the callback for each run alone, and stores only the calls that raise.
    when sqlstate 'JC001' then
      null;
  end;

  foreach v_run_id in array call_run_ended.run_ids loop
    begin
      perform app.call_callback(call_run_ended.callback, array[v_run_id]);
    exception
      when sqlstate 'JC001' then
        get stacked diagnostics v_error = message_text;
        raise log 'Callback failed at the end of run %: %', v_run_id, v_error;
        insert into app.callback_faults as f (run_id, callback, failed_at, next_at, error)
        values (
          v_run_id, call_run_ended.callback, app.now(), app.now() + interval '1 minute', v_error
        )
        on conflict on constraint callback_faults_pkey do nothing;
    end;
  end loop;
end
$$;

comment on function app.call_run_ended(text, bigint[]) is
  'Calls on_run_ended for runs that ended; stores the calls that raise in app.callback_faults.';
