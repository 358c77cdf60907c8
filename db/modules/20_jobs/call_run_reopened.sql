-- app.call_run_reopened
--
-- Errors      what the callback raises: a product may refuse that its run is opened again
-- Why         builds SQL from a name of app.job_callbacks, which only postgres can write
create or replace function app.call_run_reopened(run_id bigint)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_function regproc;
begin
  select (c.on_run_reopened || '(bigint[])')::regprocedure::oid into v_function
  from public.jobs as j
  join app.job_callbacks as c on c.type = j.type
  where j.id = call_run_reopened.run_id and c.on_run_reopened is not null;
  if found then
    execute format('select %s($1)', v_function) using array[call_run_reopened.run_id];
  end if;
end
$$;

comment on function app.call_run_reopened(bigint) is
  'Calls the on_run_reopened callback of the run''s root, where its type has one.';
