-- gate.shorten_write_time
--
-- Called by   gate.pre_request, for a request of a user that changes or deletes rows of a table
-- Why         the caller chooses the filter, and the statement holds locks while Postgres evaluates
--             it for each row. A worker that waits for one of these locks hands in no results, also
--             not those of other users
create or replace function gate.shorten_write_time()
  returns text
  language sql
  volatile
return case
  when current_setting('statement_timeout')::interval not between '1 ms' and '2 s'
  then set_config('statement_timeout', '2s', true)
end;

comment on function gate.shorten_write_time() is
  'Ends the current request after two seconds: a PATCH, PUT or DELETE of a user.';

grant execute on function gate.shorten_write_time() to anon, authenticated, service_role;
