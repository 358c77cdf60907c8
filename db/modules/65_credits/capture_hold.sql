-- app.capture_hold
--
-- Called by   products, for one run
-- Writes      as app.capture_holds
create or replace function app.capture_hold(run_id bigint)
  returns void
  language sql
  volatile
  set search_path = ''
return app.capture_holds(array[run_id]);

comment on function app.capture_hold(bigint) is
  'Charges the open hold of a run; see app.capture_holds.';
