-- app.now
--
-- Called by   every rule about time
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

revoke execute on function app.now() from public;
-- Policies call it as the client.
grant execute on function app.now() to anon, authenticated, service_role;
