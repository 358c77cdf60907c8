-- app.take_task_rate
--
-- Writes      rate_limits
-- Errors      PT429 rate_limited
create or replace function app.take_task_rate()
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  if auth.role() is distinct from 'service_role' then
    perform app.take_rate(
      'task_writes',
      app.caller_key(),
      (select s.task_writes_per_minute from app.settings as s),
      interval '1 minute'
    );
  end if;
end
$$;

comment on function app.take_task_rate() is
  'Counts a change of tasks against the caller''s limit per minute; 429 rate_limited. service_role '
  'has no limit.';
