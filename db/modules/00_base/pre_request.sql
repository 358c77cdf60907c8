-- gate.pre_request
--
-- Called by   PostgREST, as the caller, before each request
-- Errors      those of gate.become_key_owner or gate.admit_caller
-- Why         Postgres inlines this function and the wrapper that it calls. So a request without an
--             API key calls only app.admit_caller. gate.become_key_owner looks whether the name
--             stands only in the value of another header.
create or replace function gate.pre_request()
  returns void
  language sql
  volatile
return case
  when strpos(current_setting('request.headers', true), '"x-api-key"') > 0
  then gate.become_key_owner()
  else gate.admit_caller(current_user)
end;

comment on function gate.pre_request() is
  'Runs before each request. Refuses bodies that are too large or of unknown length, counts by '
  'estimate, tokens of deleted users, without expiry or for another service, writes to a table '
  'without the right to it, and too many requests of one caller at the same time. Makes a request '
  'with x-api-key one of the key''s owner, whose answer no cache may store. Ends anonymous reads '
  'after a second, and a PATCH, PUT or DELETE of a user after two.';

grant usage on schema gate to anon, authenticated, service_role;
grant execute on function gate.pre_request() to anon, authenticated, service_role;
