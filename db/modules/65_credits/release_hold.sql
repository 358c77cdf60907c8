-- app.release_hold
--
-- Called by   products and operators, for one run
-- Writes      as app.release_holds
create or replace function app.release_hold(run_id bigint)
  returns void
  language sql
  volatile
  set search_path = ''
return app.release_holds(array[run_id]);

comment on function app.release_hold(bigint) is
  'Gives back what the open hold of a run reserves; see app.release_holds.';
