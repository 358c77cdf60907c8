-- worker.ping, sidecar.ping
--
-- Called by   the health endpoints
create or replace function worker.ping()
  returns boolean
  language sql
  stable
  set search_path = ''
return true;

comment on function worker.ping() is 'Answers true: the worker reaches the database through its door.';

create or replace function sidecar.ping()
  returns boolean
  language sql
  stable
  set search_path = ''
return true;

comment on function sidecar.ping() is 'Answers true: the sidecar reaches the database through its door.';

grant execute on function worker.ping() to worker;
grant execute on function sidecar.ping() to sidecar;
