-- app.enqueue_pump
--
-- Called by   whatever makes steps ready
-- Writes      the queue: one job, however often it is asked for; of those due later, one a second
-- Why         it wakes a worker at once. Where it is lost, a heartbeat finds what is ready within a second.
create or replace function app.enqueue_pump(run_at timestamptz default null)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  if enqueue_pump.run_at is null then
    perform app.enqueue('run_steps', '{}', 'run_steps');
  else
    perform app.enqueue(
      'run_steps',
      '{}',
      'run_steps ' || ceil(extract(epoch from enqueue_pump.run_at))::bigint,
      enqueue_pump.run_at
    );
  end if;
end
$$;

comment on function app.enqueue_pump(timestamptz) is 'Has a worker take steps that are ready, now or at run_at.';

revoke execute on function app.enqueue_pump(timestamptz) from public;
