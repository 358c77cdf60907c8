-- app.call_run_reopened
--
-- Errors      whatever the callback raises: a product may refuse that its run runs again
-- Why         builds SQL from text: the name comes from app.job_callbacks, which only postgres can
--             write
create or replace function app.call_run_reopened(run_id bigint)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_function oid;
begin
  select (c.on_run_reopened || '(bigint[])')::regprocedure::oid into v_function
  from public.jobs as j
  join app.job_callbacks as c on c.type = j.type
  where j.id = call_run_reopened.run_id and c.on_run_reopened is not null;
  if found then
    -- For app.submit_run, until the transaction ends.
    perform set_config('plinth.holds_runs', 'on', true);
    execute format('select %s($1)', v_function::regproc) using array[call_run_reopened.run_id];
  end if;
end
$$;

comment on function app.call_run_reopened(bigint) is
  'Calls on_run_reopened for a run, if the type of its root registered that callback.';
