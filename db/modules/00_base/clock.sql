-- app.clock
create or replace function app.clock()
  returns timestamptz
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  return app.now() + (pg_catalog.clock_timestamp() - pg_catalog.now());
end
$$;

comment on function app.clock() is
  'Returns the current time by the clock of app.now, for transactions that may have waited for a '
  'lock since they began.';
