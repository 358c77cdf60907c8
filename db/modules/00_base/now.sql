-- app.now, app.clock
--
-- Why         one place that a test can replace: only the owner of this function can move the clock, so there is
--             no setting that a caller could set. In plpgsql, since `set search_path` keeps a function in SQL from being
--             inlined, and that would be planned anew at each call
create or replace function app.now()
  returns timestamptz
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return pg_catalog.now();
end
$$;

comment on function app.now() is 'The time that rules go by: the start of the transaction.';

-- Policies call it as the client.
grant execute on function app.now() to anon, authenticated, service_role;

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

comment on function app.clock() is 'The time at this moment, for what may have waited since its transaction began.';
