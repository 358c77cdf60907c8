-- app.find_request_table
--
-- Why         app.admit_caller calls this function before each request to a table, so Postgres
--             inlines it. PostgREST gives SQL the path as the client encoded it: for /%66lows, this
--             function returns null, and Postgres checks the privileges alone.
create or replace function app.find_request_table()
  returns regclass
  language sql
  stable
return to_regclass('public.' || quote_ident(substr(current_setting('request.path', true), 2)));

comment on function app.find_request_table() is
  'Returns the table or view of schema public that the path of the request names, or null.';
