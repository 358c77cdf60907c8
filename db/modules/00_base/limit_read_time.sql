-- app.limit_read_time
--
-- Called by   app.admit_caller, for an anonymous read whose timeout is not the usual one, 3 s
-- Why         If the called function has a timeout of its own, PostgREST has set it, and it stays.
create or replace function app.limit_read_time()
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  if current_setting('statement_timeout')::interval not between '1 ms' and '1 s' then
    perform set_config('statement_timeout', '1s', true)
    where not exists (
      select
      from pg_catalog.pg_proc as p
      where p.pronamespace = 'public'::regnamespace
        and p.proname = substr(current_setting('request.path', true), 6)
        and starts_with(current_setting('request.path', true), '/rpc/')
        and p.proconfig::text like '%statement_timeout=%'
    );
  end if;
end
$$;

comment on function app.limit_read_time() is
  'Ends the current request after a second, unless a function that it calls has a timeout of its '
  'own.';
