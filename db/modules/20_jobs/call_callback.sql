-- app.call_callback
--
-- Errors      JC001 for most errors of the callback; the message holds its SQLSTATE and text.
--             Deadlocks, timeouts and faults of the server pass through unchanged, because they say
--             nothing about the callback: the caller repeats its transaction, or the part of it
--             that met a locked row
-- Why         builds SQL from text: the name comes from app.job_callbacks, which only postgres can
--             write. Catches every other error, because a fault of one product must not stop others
create or replace function app.call_callback(callback text, job_ids bigint[])
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_function regproc;
  v_state text;
  v_message text;
begin
  -- For app.submit_run, until the transaction ends.
  perform set_config('plinth.holds_runs', 'on', true);
  v_function := (call_callback.callback || '(bigint[])')::regprocedure::oid;
  execute format('select %s($1)', v_function) using call_callback.job_ids;
exception
  when transaction_rollback or lock_not_available or insufficient_resources
    or operator_intervention or system_error
  then
    raise;
  when assert_failure or others then
    get stacked diagnostics v_state = returned_sqlstate, v_message = message_text;
    raise exception using
      errcode = 'JC001',
      message = format('%s raised %s: %s', call_callback.callback, v_state, left(v_message, 2000));
end
$$;

comment on function app.call_callback(text, bigint[]) is
  'Calls a registered callback in a subtransaction; turns what the callback raises into JC001.';
