-- worker.ping, sidecar.ping
--
-- Called by   the health endpoints
create or replace function worker.ping()
  returns boolean
  language sql
  stable
  set search_path = ''
return true;

comment on function worker.ping() is
  'Returns true when the worker reaches the database through its schema.';

create or replace function sidecar.ping()
  returns boolean
  language sql
  stable
  set search_path = ''
return true;

comment on function sidecar.ping() is
  'Returns true when the sidecar reaches the database through its schema.';

grant execute on function worker.ping() to worker;
grant execute on function sidecar.ping() to sidecar;
