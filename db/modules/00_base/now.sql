-- app.now
--
-- Why         Tests replace this function to move the clock. Only its owner can, so no setting lets
--             a caller do it. It is in plpgsql, because `set search_path` keeps a SQL function from
--             being inlined, and each call would plan it again.
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

comment on function app.now() is
  'Returns the time that all rules use: the start of the transaction.';

-- Policies call it as the client.
grant execute on function app.now() to anon, authenticated, service_role;
