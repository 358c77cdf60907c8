-- worker.ping, sidecar.ping
--
-- Called by   the health endpoints
-- Why         locks a row, because a read-only database must not look healthy; with skip locked, so
--             that a call never waits
create or replace function worker.ping()
  returns boolean
  language sql
  volatile
  security definer
  set search_path = ''
as $$
  select from app.settings for no key update skip locked;
  select true;
$$;

comment on function worker.ping() is
  'Returns true when the worker reaches the database and can write. Error 25006 while the '
  'database is read-only.';

create or replace function sidecar.ping()
  returns boolean
  language sql
  volatile
  security definer
  set search_path = ''
as $$
  select from app.settings for no key update skip locked;
  select true;
$$;

comment on function sidecar.ping() is
  'Returns true when the sidecar reaches the database and can write. Error 25006 while the '
  'database is read-only.';

grant execute on function worker.ping() to worker;
grant execute on function sidecar.ping() to sidecar;
